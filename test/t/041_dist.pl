# What make dist packs can be built and installed by whoever has no git, holds
# the install script under the name that META.json and the control file give it, and
# is what PGXN takes.
use strict;
use warnings;
use Cwd 'getcwd';
use FindBin;
use IO::Uncompress::Unzip;
use JSON::PP;
use File::Basename;
use File::Path 'make_path';
use PostgreSQL::Test::Utils;
use Test::More;
use lib $FindBin::RealBin;
use PgxnMeta;

my $sources = "$FindBin::RealBin/../..";
my $clone = PostgreSQL::Test::Utils::tempdir();
my $unpacked = PostgreSQL::Test::Utils::tempdir();
my $started = getcwd();
delete @ENV{ grep { /^(GIT_|MAKE|MFLAGS)/ } keys %ENV };
$ENV{HOME} = $clone;

# Fails with the message, and packs nothing.
sub is_refused
{
	my ($message, $name) = @_;
	command_fails_like([ 'make', 'dist' ], $message, $name);
	is_deeply([ glob("$clone/*.zip") ], [], "$name: no archive");
	return;
}

# Writes what the archive holds below the folder and returns the files' names.
sub unpack_into
{
	my ($archive, $folder) = @_;
	my $zip = IO::Uncompress::Unzip->new($archive) or die "no zip file: $archive";
	my @names;

	for (my $more = 1; $more > 0; $more = $zip->nextStream)
	{
		my $header = $zip->getHeaderInfo;
		my $content = do { local $/; <$zip> };

		next if $header->{Name} =~ m,/$,;
		push @names, $header->{Name};
		make_path(dirname("$folder/$header->{Name}"));
		append_to_file("$folder/$header->{Name}", $content // '');
	}
	return @names;
}

# The sources; .gitignore leaves out what was built there.
system_or_bail("cd '$sources' && tar -cf - --exclude=./.git . | tar -xf - -C '$clone'");
chdir $clone or die $!;
is_refused(qr/needs a git clone/, 'outside of a git clone');

system_or_bail('git', 'init', '-q');
system_or_bail('git', 'config', 'user.name', 'tester');
system_or_bail('git', 'config', 'user.email', 'tester@example.com');
system_or_bail('git', 'add', '.');
system_or_bail('git', 'commit', '-q', '-m', 'all');
append_to_file("$clone/sql/99_more.sql", "-- not committed\n");
is_refused(qr/commit or remove/, 'with a file that is not committed');
unlink "$clone/sql/99_more.sql";

command_ok([ 'make', '-s', 'dist' ], 'make dist');
my ($archive, @others) = map { basename($_) } glob("$clone/*.zip");
is_deeply(\@others, [], 'one archive');
my ($release) = ($archive // '') =~ /^commerce-(\d+\.\d+\.\d+)\.zip$/;
ok(defined $release, 'named for the release') or BAIL_OUT('no archive');
is(`git status --porcelain`, '', 'nothing of it is in the way of git');

my @names = unpack_into($archive, $unpacked);
my $top = "$unpacked/commerce-$release";
is_deeply([ grep { !m,^commerce-\Q$release\E/, } @names ], [], 'all of it is in one folder');

my @committed = split /\n/, `git ls-files`;
my $control = slurp_file("$top/commerce.control");
my ($version) = $control =~ /^default_version = '(.*)'/m;
my $script = "sql/commerce--$version.sql";
is_deeply([ sort @names ], [ sort map { "commerce-$release/$_" } @committed, $script, "sql/commerce_router--$version.sql" ],
	'it holds what is committed, and the install scripts');
ok(slurp_file("$top/$script") eq slurp_file("$clone/$script"), 'the script that make joins');

my $meta = decode_json(slurp_file("$top/META.json"));
is($meta->{version}, $release, 'META.json has the release');
is($meta->{provides}{commerce}{version}, $release, 'and provides it');
is($meta->{provides}{commerce}{file}, $script, 'in that script');

# ---- META.json is valid by PGXN's Meta Spec ----

is_deeply([ meta_faults($meta) ], [], 'PGXN finds no fault in META.json');
my %is_there = map { $_ => 1 } @names;
foreach my $file (map { grep { defined } @{$_}{qw(file docfile)} } values %{ $meta->{provides} })
{
	ok($is_there{"commerce-$release/$file"}, "$file of META.json is in the archive");
}

# The rules find what is wrong: each change gives one fault.
my %wrong = (
	name => sub { delete $_[0]{name} },
	'a short name' => sub { $_[0]{name} = 'c' },
	version => sub { $_[0]{version} = '1.0' },
	'a version of the extension' => sub { $_[0]{provides}{commerce}{version} = '1.0.00' },
	file => sub { delete $_->{file} foreach values %{ $_[0]{provides} } },
	abstract => sub { $_[0]{abstract} = '' },
	maintainer => sub { $_[0]{maintainer} = [] },
	license => sub { $_[0]{license} = 'PostgreSQL' },
	'meta-spec' => sub { $_[0]{'meta-spec'}{version} = '2.0.0' },
	status => sub { $_[0]{release_status} = 'unreleased' },
	tag => sub { push @{ $_[0]{tags} }, 'a/b' },
	phase => sub { $_[0]{prereqs}{later}{requires}{PostgreSQL} = '15.0.0' },
	range => sub { $_[0]{prereqs}{runtime}{requires}{PostgreSQL} = '15' },
	key => sub { $_[0]{keywords} = 'shop' });
foreach my $name (sort keys %wrong)
{
	my $broken = decode_json(slurp_file("$top/META.json"));

	$wrong{$name}->($broken);
	is(scalar meta_faults($broken), 1, "what is wrong is found: $name");
}

# Built from the archive, by its own Makefile.
chdir $top or die $!;
command_ok([ 'make', '-s', 'COPT=-O0' ], 'make');
command_ok([ 'make', '-s', 'install', "DESTDIR=$unpacked/installed" ], 'make install');
my $sharedir = `"$ENV{PG_CONFIG}" --sharedir`;
chomp $sharedir;
ok(slurp_file("$unpacked/installed$sharedir/extension/" . basename($script))
	eq slurp_file("$clone/$script"), 'the script is installed');
command_ok([ 'make', '-s', 'clean' ], 'make clean');
ok(!-e $script, 'the script is gone');

chdir $started;
done_testing();
