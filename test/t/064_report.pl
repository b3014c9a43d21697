# make report: one page that needs no other file, true, as HTML should be whatever the
# names of things, within the window of a desk and of a telephone.
use strict;
use warnings;
use Cwd 'abs_path';
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Utils;
use Test::More;
use CommerceTest;

my $script = abs_path("$FindBin::RealBin/../../report/report.sh");
my $folder = PostgreSQL::Test::Utils::tempdir();
my $node = new_server('report', conf => [ "shared_preload_libraries = 'commerce'", "commerce.databases = 'postgres'" ]);
my $nasty = qq(<script>alert("1")</script> & so\n on\x1f);
my $one = items([ 1, 1 ]);

$node->safe_psql('postgres', qq(
	SELECT FROM commerce.create_user('buyer', 1);
	SELECT FROM commerce.charge_balance(1, 10000000);
	SELECT FROM commerce.create_product(\$n\$$nasty\$n\$, 1);
	SELECT FROM commerce.create_product_option(1, \$n\$$nasty\$n\$, 1234567, 2, 1);
	SELECT FROM commerce.create_coupon_policy(\$n\$$nasty\$n\$, 'fixed', 1, 40);
	SELECT FROM commerce.place_order(1, '$one');
	CREATE ROLE owner LOGIN;
	SELECT commerce.grant_access('owner', 'reader');
));
is(sqlstates($node, "SELECT commerce.place_order(1, '" . items([ 1, 7 ]) . "')"), 'SC301', 'one is refused');

# The page, as this role gets it.
sub report
{
	my ($role, %environment) = @_;
	local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port, PGDATABASE => 'postgres', PGUSER => $role, %environment);

	command_ok([ $script, "$folder/report.html" ], "$role gets a report");
	return slurp_file("$folder/report.html");
}

my $html = report('owner');
like($html, qr{<td>place_order</td>.*SC301.*<td class="n">1</td>}, 'it has the refusal');
like($html, qr{<td class="n">1</td><td class="n">1</td><td class="n"><span class="plain">7\.0</span>}, 'what is left, was sold, lasts for so long');
like($html, qr{<b class="">1,234,567</b><span>revenue today</span>}, 'the revenue');
like($html, qr{<td class="n">40</td><td class="n">40</td>}, 'the coupons');
like($html, qr{<td>default</td><td><span class="good">well</span></td><td class="n">1</td>}, 'the delivery that waits');
like($html, qr{Not checked: that takes level admin}, 'books that were not checked');
unlike($html, qr{<script|\x1f}, 'no name is taken for HTML');
like($html, qr{&lt;script&gt;alert\(&quot;1&quot;\)&lt;/script&gt; &amp; so  on }, 'but shown as it is');
unlike($html, qr{(?:src|href)=|url\(|\@import}, 'nothing is fetched');
my %open;
$open{$2} += $1 eq '' ? 1 : -1 while $html =~ m{<(/?)(html|head|body|main|section|div|table|thead|tbody|tr|td|th|svg|h1|h2|p|span|b|text|style|title)\b}g;
is_deeply([ grep { $open{$_} } sort keys %open ], [], 'what is opened is closed');

my $super = $node->safe_psql('postgres', 'SELECT current_user');
like(report($super), qr{in order</b><span>the books}, 'whoever may check the books sees that they are in order');
$node->safe_psql('postgres', 'UPDATE commerce.balances SET balance = balance + 1');
like(report($super), qr{<td>balance\w*</td><td class="n">1</td>}, 'or what is not');
$node->safe_psql('postgres', 'UPDATE commerce.balances SET balance = balance - 1');
like(report('owner', TZ => 'Asia/Seoul'), qr{As of \d{4}-\d\d-\d\d \d\d:\d\d KST}, 'days are those of TZ');
{
	local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port, PGDATABASE => 'nowhere');
	command_fails_like([ $script, "$folder/none.html" ], qr/database "nowhere" does not exist/, 'without a shop it says why');
	ok(!-e "$folder/none.html", 'and leaves no page');
}

# In a window so wide the page is no wider, and has drawn its bars. The browser's own
# window cannot be that narrow, but a frame in it can.
my $page = slurp_file("$folder/report.html") =~ s/&/&amp;/gr =~ s/"/&quot;/gr;
foreach my $width (1280, 390)
{
	local $ENV{HOME} = $folder;
	unlink "$folder/framed.html";
	append_to_file("$folder/framed.html", qq(<iframe width="$width" height="900" frameborder="0" srcdoc="$page"
		onload="var shown = contentDocument; document.title = 'wide ' + shown.documentElement.scrollWidth
			+ ' bars ' + shown.querySelectorAll('rect').length"></iframe>));
	my ($dom, $error) = run_command([ 'timeout', 120, 'chromium', '--headless=new', '--no-sandbox', '--disable-gpu',
			'--disable-dev-shm-usage', "--user-data-dir=$folder/profile$width", '--window-size=1400,1000',
			'--dump-dom', "file://$folder/framed.html" ]);
	my ($wide, $bars) = $dom =~ m{<title>wide (\d+) bars (\d+)</title>} or diag($error);

	cmp_ok($wide // 9999, '<=', $width, "$width pixels are enough");
	is($bars, 2, "$width: a bar of orders, and one of revenue");
}

log_is_clean($node, 'no crash, no internal error');
done_testing();
