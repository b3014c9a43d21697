# A receiver on loopback that answers every request with 200: nginx, with all it
# writes in $SCRATCH. Sourced by transmission.sh.
# shellcheck shell=sh
received=$SCRATCH/received # a line a request: when it ended, its webhook-id and path
PATH=$PATH:/usr/sbin

start_receiver()
{
	mkdir -p "$SCRATCH/nginx"
	for try in 1 2 3 4 5; do
		port=$(shuf -i 10000-30000 -n 1)
		receiver_url=http://127.0.0.1:$port/
		receiver_config >"$SCRATCH/nginx/nginx.conf"
		: >"$received"
		nginx -p "$SCRATCH/nginx" -e stderr -c nginx.conf 2>"$SCRATCH/nginx/log" &
		receiver=$!
		sleep 0.5
		! kill -s 0 $receiver 2>/dev/null || return 0
	done
	cat "$SCRATCH/nginx/log" >&2
	exit 1
}
stop_receiver()
{
	kill $receiver
	wait $receiver 2>/dev/null || :
	receiver=
}
receiver_config()
{
	cat <<-CONFIG
		daemon off;
		worker_processes 1;
		pid pid;
		error_log stderr;
		events { worker_connections 1024; }
		http {
			log_format request '\$msec \$http_webhook_id \$uri';
			access_log $received request;
			keepalive_requests 1000000;
			client_body_temp_path body;
			proxy_temp_path proxy;
			fastcgi_temp_path fastcgi;
			uwsgi_temp_path uwsgi;
			scgi_temp_path scgi;
			server {
				listen 127.0.0.1:$port;
				return 200;
			}
		}
	CONFIG
}
