# Draws the plots of doc/performance.md from what the parts measured:
#
#	gnuplot -e "tsv='results/latest.tsv'; folder='results'" plot.gp
#
# A line of the file: part, workload, clients, side, median, least, most. A plot whose
# part was not measured is left alone.
set terminal svg size 900,420 font 'sans-serif,14' background '#ffffff' rounded
set datafile separator "\t"
set style data histograms
set style histogram errorbars gap 1.5 lw 1
set style fill solid noborder
set boxwidth 0.9 relative
set errorbars 0.4 linecolor rgb '#222222'
set yrange [0:*]
set border 3 linecolor rgb '#888888'
set tics nomirror scale 0 noenhanced textcolor rgb '#222222'
set grid ytics back linetype 1 linecolor rgb '#dddddd'
set bmargin 5
set key outside top center horizontal textcolor rgb '#222222' samplen 1 width -2
set ylabel 'successes per second' textcolor rgb '#222222'

# pivot(part, pattern, clients, label, sides): a command that prints a row for each
# workload that matches (label 1) or number of clients (label 2), and for each of the
# sides, given as A|B|C, its median, least and most; ? where it was not measured.
pivot(part, pattern, clients, label, sides) = sprintf( \
	"awk -F '\t' -v part='%s' -v pattern='%s' -v clients='%s' -v label=%d -v sides='%s' '" . \
	"BEGIN { n = split(sides, side, \"[|]\") }" . \
	"$1 == part && $2 ~ pattern && (clients == \"\" || $3 == clients) {" . \
	"	row = label == 1 ? $2 : $3 \" clients\";" . \
	"	if (!(row in seen)) { seen[row] = 1; rows[++m] = row }" . \
	"	rate[row, $4] = $5 \"\t\" $6 \"\t\" $7 }" . \
	"END { for (i = 1; i <= m; i++) {" . \
	"	name = rows[i]; gsub(/, /, \"\\\\n\", name); printf \"%%s\", name;" . \
	"	for (j = 1; j <= n; j++)" . \
	"		printf \"\t%%s\", (rows[i], side[j]) in rate ? rate[rows[i], side[j]] : \"?\t?\t?\";" . \
	"	print \"\" } }' '%s'", part, pattern, clients, label, sides, tsv)
measured(part, pattern, clients) = int(system(sprintf( \
	"awk -F '\t' '$1 == \"%s\" && $2 ~ /%s/ && (\"%s\" == \"\" || $3 == \"%s\")' '%s' | wc -l", \
	part, pattern, clients, clients, tsv)))

set datafile missing '?'
set linetype 1 lc rgb '#c0392b'
set linetype 2 lc rgb '#34618f'
set linetype 3 lc rgb '#7fa8d1'
set linetype 4 lc rgb '#b9b9b9'
set linetype 5 lc rgb '#7d7d7d'

if (measured('measure', '.', '32')) {
	set output folder . '/calls.svg'
	set title '32 clients' textcolor rgb '#222222'
	plot '< ' . pivot('measure', '.', '32', 1, 'commerce|usual|tuned|client') \
		using 2:3:4:xtic(1) title 'commerce', \
		'' using 5:6:7 title 'usual PL/pgSQL', \
		'' using 8:9:10 title 'tuned PL/pgSQL', \
		'' using 11:12:13 title 'transactions from the client'
}
if (measured('contention', 'same option', '')) {
	set output folder . '/same_option.svg'
	set title 'Everyone buys the same option' textcolor rgb '#222222'
	plot '< ' . pivot('contention', 'same option', '', 2, 'commerce|usual|tuned|spread') \
		using 2:3:4:xtic(1) title 'commerce', \
		'' using 5:6:7 title 'usual PL/pgSQL', \
		'' using 8:9:10 title 'tuned PL/pgSQL', \
		'' using 11:12:13 title 'commerce, everyone another option'
}
if (measured('coupons', '.', '')) {
	set output folder . '/coupons.svg'
	set title 'Everyone wants a coupon of the same policy' textcolor rgb '#222222'
	plot '< ' . pivot('coupons', '.', '', 2, \
			'commerce|usual|tuned|Redis, always|Redis, everysec') \
		using 2:3:4:xtic(1) title 'commerce', \
		'' using 5:6:7 title 'usual PL/pgSQL', \
		'' using 8:9:10 title 'tuned PL/pgSQL', \
		'' using 11:12:13 title 'Redis, flushed always', \
		'' using 14:15:16 title 'Redis, flushed every second'
}
if (measured('latency', '.', '')) {
	set output folder . '/latency.svg'
	set title 'How long an order takes, 32 clients' textcolor rgb '#222222'
	set ylabel 'milliseconds' textcolor rgb '#222222'
	set logscale y
	set yrange [0.1:*]
	set bmargin 9
	set xtics rotate by -30
	plot '< ' . pivot('latency', '.', '', 1, '0.5|0.99|0.999|1') \
		using 2:3:4:xtic(1) title 'half', \
		'' using 5:6:7 title '99 of 100', \
		'' using 8:9:10 title '999 of 1000', \
		'' using 11:12:13 title 'longest'
}
