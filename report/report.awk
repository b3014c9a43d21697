# Makes the page of the records of report.sql: one file that needs no other.
BEGIN { FS = "\037" }

$1 == "shop" { shop = $2; made_at = $3 }
$1 == "day" { days++; day[days] = $2; orders[days] = $3; revenue[days] = $4; refunds[days] = $5 }
$1 == "best" { best[++bests] = row(cell($2) number($3)) }
$1 == "call" { add_call($2, $3, $4) }
$1 == "stock" { add_stock() }
$1 == "coupon" { add_coupon() }
$1 == "delivery" { add_delivery() }
$1 == "verified" { is_verified = 1; violations = $2 }
$1 == "violation" { violation[++told] = row(cell($2) number($3) number($4) number($5)) }

END {
	head()
	tiles()
	charts()
	print "<div class=\"columns\">"
	table("What sold most, in 30 days", "Product|#Units", best, bests, "Nothing was sold.")
	table("Running out, at the rate of 7 days", "Product|Option|#Left|#Sold|#Days", stock, stocks, "Nothing is.")
	table("Coupons left", "Coupon|#Left|#Of|Until", coupon, coupons, "No coupon can be had now.")
	table("Deliveries", "To|State|#Waiting|#On their way|#Dead|#Oldest", delivery, deliveries, "Nobody is told of orders.")
	table("Refusals and errors since the server started", "Call|Code|#Times", refusal, refusals,
		calls ? "There was none." : "Nothing is counted: the library is not preloaded.")
	books()
	print "</div></main></body></html>"
}

# ---- what comes in ----

function escaped(text)
{
	gsub(/&/, "\\&amp;", text)
	gsub(/</, "\\&lt;", text)
	gsub(/>/, "\\&gt;", text)
	gsub(/"/, "\\&quot;", text)
	return text
}
# 1234567.8 as 1,234,567.8
function grouped(text,	sign, rest, digits)
{
	sign = text ~ /^-/ ? "-" : ""
	sub(/^-/, "", text)
	rest = index(text, ".") ? substr(text, index(text, ".")) : ""
	digits = index(text, ".") ? substr(text, 1, index(text, ".") - 1) : text
	text = ""
	while (length(digits) > 3) {
		text = "," substr(digits, length(digits) - 2) text
		digits = substr(digits, 1, length(digits) - 3)
	}
	return sign digits text rest
}
function cell(text) { return "<td>" escaped(text) "</td>" }
function number(text) { return "<td class=\"n\">" grouped(text) "</td>" }
function mark(kind, text) { return "<td><span class=\"" kind "\">" escaped(text) "</span></td>" }
function row(cells) { return "<tr>" cells "</tr>" }
function age(seconds)
{
	if (seconds < 1) return "none"
	if (seconds < 120) return sprintf("%d s", seconds)
	if (seconds < 7200) return sprintf("%d min", seconds / 60)
	if (seconds < 172800) return sprintf("%d h", seconds / 3600)
	return sprintf("%d days", seconds / 86400)
}

function add_call(name, sqlstate, times)
{
	calls += times
	if (sqlstate == "00000")
		return
	refused += times
	refusal[++refusals] = row(cell(name) mark(sqlstate ~ /^SC/ ? "plain" : "bad", sqlstate) number(times))
}
function add_stock()
{
	if ($6 < 3)
		short++
	stock[++stocks] = row(cell($2) cell($3) number($4) number($5) \
		"<td class=\"n\"><span class=\"" ($6 < 3 ? "bad" : "plain") "\">" sprintf("%.1f", $6) "</span></td>")
}
function add_coupon()
{
	coupon[++coupons] = row(cell($2) number($3) number($4) cell($5 == "" ? "further notice" : $5))
}
function add_delivery(	state, is_paused)
{
	is_paused = $3 == "t"
	waiting += $4 + $5
	dead += $6
	if ($7 > 300 && !is_paused)
		late++
	state = is_paused ? "paused" : $6 > 0 ? "dead events" : $7 > 300 ? "late" : "well"
	delivery[++deliveries] = row(cell($2) mark(state == "well" ? "good" : "bad", state) number($4) number($5) number($6) \
		"<td class=\"n\">" age($7) "</td>")
}

# ---- what goes out ----

function head()
{
	print "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	print "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
	print "<title>" escaped(shop) ": the shop</title>"
	print "<style>"
	print ":root { --ink: #1c2430; --soft: #667085; --line: #e3e7ee; --page: #f6f7f9; --card: #fff;"
	print " --one: #2f6fde; --two: #12946a; --three: #d9822b; --bad: #b42318; --good: #0f7b55; }"
	print "@media (prefers-color-scheme: dark) { :root { --ink: #e8ebf0; --soft: #98a2b3; --line: #2b3340;"
	print " --page: #12161c; --card: #1a2029; --one: #6a9cf5; --two: #44c497; --three: #f0a860; --bad: #ff8a7a; --good: #5bd3a5; } }"
	print "* { box-sizing: border-box; }"
	print "body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.45 system-ui, sans-serif; }"
	print "main { max-width: 1180px; margin: 0 auto; padding: 24px 16px 48px; }"
	print "h1 { font-size: 24px; margin: 0; } h2 { font-size: 15px; margin: 0 0 10px; }"
	print ".made { color: var(--soft); margin: 2px 0 20px; }"
	print ".tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); gap: 12px; }"
	print ".card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px; min-width: 0; }"
	print ".tile b { display: block; font-size: 22px; font-weight: 600; overflow-wrap: anywhere; } .tile span { color: var(--soft); font-size: 13px; }"
	print ".columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); gap: 12px; margin-top: 12px; }"
	print ".scroll { overflow-x: auto; } table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }"
	print "th { color: var(--soft); font-weight: 500; font-size: 13px; text-align: left; }"
	print "td, th { padding: 4px 12px 4px 0; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: break-word; }"
	print "tr:last-child td { border-bottom: 0; } td.n, th.n { text-align: right; white-space: nowrap; } td:last-child, th:last-child { padding-right: 0; }"
	print ".bad { color: var(--bad); font-weight: 600; } .good { color: var(--good); } .none { color: var(--soft); margin: 0; }"
	print "svg { width: 100%; height: auto; display: block; } svg text { fill: var(--soft); font-size: 12px; }"
	print ".one { fill: var(--one); } .two { fill: var(--two); } .three { fill: var(--three); } .grid { stroke: var(--line); }"
	print "</style></head><body><main>"
	print "<h1>" escaped(shop) "</h1><p class=\"made\">As of " escaped(made_at) ". Money is in minor currency units.</p>"
}

function tile(value, what, kind)
{
	print "<div class=\"card tile\"><b class=\"" kind "\">" value "</b><span>" what "</span></div>"
}
function tiles(	i, all_orders, all_revenue)
{
	for (i = 1; i <= days; i++) {
		all_orders += orders[i]
		all_revenue += revenue[i]
	}
	print "<div class=\"tiles\">"
	tile(grouped(orders[days]), "orders today", "")
	tile(grouped(revenue[days]), "revenue today", "")
	tile(grouped(sprintf("%.0f", all_orders)), "orders in 30 days", "")
	tile(grouped(sprintf("%.0f", all_revenue)), "revenue in 30 days", "")
	tile(calls ? sprintf("%.1f %%", 100 * refused / calls) : "&ndash;", "of calls refused", "")
	tile(grouped(short + 0), "options gone in 3 days", short ? "bad" : "good")
	tile(grouped(sprintf("%.0f", dead)), "dead deliveries", dead ? "bad" : "good")
	if (is_verified)
		tile(violations ? grouped(violations) : "in order", violations ? "violations in the books" : "the books", violations ? "bad" : "good")
	print "</div>"
}

# A round number that is no less.
function ceiling(value,	power, step)
{
	if (value <= 1)
		return 1
	power = 10 ^ int(log(value) / log(10) + 1e-9)
	for (step = 1; step <= 10; step += step < 2 ? 1 : step < 5 ? 3 : 5)
		if (step * power >= value)
			return step * power
	return 10 * power
}
function shown(value)
{
	if (value >= 1e9) return sprintf("%g G", value / 1e9)
	if (value >= 1e6) return sprintf("%g M", value / 1e6)
	if (value >= 1e4) return sprintf("%g k", value / 1e3)
	return sprintf("%g", value)
}
function bar(x, width, from, to, top, kind, what,	y)
{
	y = 160 - 140 * to / top
	if (to > from)
		printf "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"1\"><title>%s</title></rect>\n",
			kind, x, y, width, 140 * (to - from) / top, what
}
# Of each day a bar; of it, the part that was refunded in another colour.
function chart(title, values, back, kind,	i, most, top, step)
{
	for (i = 1; i <= days; i++)
		if (values[i] > most)
			most = values[i]
	top = ceiling(most)
	print "<section class=\"card\"><h2>" title "</h2><svg viewBox=\"0 0 560 185\" role=\"img\" aria-label=\"" title "\">"
	for (i = 0; i <= 2; i++)
		printf "<line class=\"grid\" x1=\"48\" x2=\"560\" y1=\"%d\" y2=\"%d\"/><text x=\"42\" y=\"%d\" text-anchor=\"end\">%s</text>\n",
			160 - 70 * i, 160 - 70 * i, 164 - 70 * i, shown(top * i / 2)
	step = 512 / days
	for (i = 1; i <= days; i++) {
		bar(49 + (i - 1) * step, step - 3, 0, values[i], top, kind, day[i] ": " grouped(values[i]))
		bar(49 + (i - 1) * step, step - 3, 0, back[i], top, "three", day[i] ": " grouped(back[i]) " refunded")
		if (i % 7 == 1)
			printf "<text x=\"%.1f\" y=\"180\" text-anchor=\"middle\">%s</text>\n", 49 + (i - 0.5) * step, substr(day[i], 6)
	}
	print "</svg></section>"
}
function charts(	nothing)
{
	print "<div class=\"columns\">"
	chart("Orders a day", orders, nothing, "one")
	chart("Revenue a day, and what of it was refunded", revenue, refunds, "two")
	print "</div>"
}

function table(title, names, rows, count, otherwise,	i, name, n)
{
	print "<section class=\"card\"><h2>" title "</h2>"
	if (count == 0) {
		print "<p class=\"none\">" otherwise "</p></section>"
		return
	}
	print "<div class=\"scroll\"><table><thead><tr>"
	n = split(names, name, "|")
	for (i = 1; i <= n; i++)
		print name[i] ~ /^#/ ? "<th class=\"n\">" substr(name[i], 2) "</th>" : "<th>" name[i] "</th>"
	print "</tr></thead><tbody>"
	for (i = 1; i <= count; i++)
		print rows[i]
	print "</tbody></table></div></section>"
}
function books()
{
	if (is_verified)
		table("The books", "Check|#Object|#Expected|#Found", violation, told, "Every balance, stock, coupon and order adds up.")
	else
		table("The books", "", violation, 0, "Not checked: that takes level admin.")
}
