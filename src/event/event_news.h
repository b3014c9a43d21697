/*
 * event_news.h
 *		Has anything come that may be claimed?
 */
#ifndef COMMERCE_EVENT_NEWS_H
#define COMMERCE_EVENT_NEWS_H

/*
 * Have events come since this session's last look, or deliveries become due?
 * The first look says yes. Needs a snapshot.
 */
extern bool event_has_news(void);

#endif							/* COMMERCE_EVENT_NEWS_H */
