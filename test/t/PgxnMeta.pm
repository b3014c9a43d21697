# What PGXN's Meta Spec 1.0.0 asks of META.json.
package PgxnMeta;

use strict;
use warnings;
use Exporter 'import';

our @EXPORT = qw(meta_faults);

my $text = qr/./;
my $term = qr{[^\s[:cntrl:]/\\]{2,}};
my $version = qr/(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*)){2}(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?/;
my $range = qr/(?:(?:==|!=|<=|>=|<|>)\s*)?(?:0|$version)/;
my $url = qr{^[a-z][a-z+.-]*://[^/]+};

# Places of values, with what stands there; LIST is one value or a list of them.
my @places = (
	name => qr/^$term$/, version => qr/^$version$/, abstract => $text, 'maintainer LIST' => $text,
	'license LIST' => qr/^(?:agpl_3|apache_1_1|apache_2_0|artistic_[12]|bsd|freebsd|gfdl_1_[23]
		|gpl_[123]|lgpl_2_1|lgpl_3_0|mit|mozilla_1_[01]|openssl|perl_5|postgresql|qpl_1_0
		|ssleay|sun|zlib|open_source|restricted|unrestricted|unknown)$/x,
	'meta-spec version' => qr/^1\.0\.\d+$/,
	"provides $term file" => qr{^[^/]}, "provides $term version" => qr/^$version$/);
my @optional_places = (
	'meta-spec url' => qr{^https?://(?:www\.)?pgxn\.org/(?:meta/spec\.txt|spec/1\.0\.0/)$},
	"provides $term abstract" => $text, "provides $term docfile" => qr{^[^/]},
	'description' => $text, 'generated_by' => $text, 'release_status' => qr/^(?:stable|testing|unstable)$/,
	'tags LIST' => qr{^[^[:cntrl:]/\\]{1,256}$}, 'no_index (?:file|directory) LIST' => $text,
	"prereqs (?:configure|build|runtime|test|develop) (?:requires|recommends|suggests|conflicts) $term" =>
		qr/^$range(?:\s*,\s*$range)*$/,
	'resources homepage' => $url, 'resources license LIST' => $url, 'resources bugtracker web' => $url,
	'resources bugtracker mailto' => qr/@/, 'resources repository (?:web|url)' => $url,
	'resources repository type' => qr/^[a-z]+$/, '(?:.* )?[xX]_.*' => qr/^/);

# "provides commerce version" => "1.0.0" and so on; what is empty is a value too.
sub values_of
{
	my ($data, @place) = @_;
	my @inner = ref $data eq 'HASH' ? map { [ $_, $data->{$_} ] } sort keys %$data
		: ref $data eq 'ARRAY' ? map { [ '[]', $_ ] } @$data : ();

	return [ "@place", ref $data ? '' : $data // '' ] unless @inner;
	return map { values_of($_->[1], @place, $_->[0]) } @inner;
}

sub meta_faults
{
	my ($meta) = @_;
	my @values = values_of($meta);
	my (@faults, @known);

	my @rules = (@places, @optional_places);
	while (my ($place, $value) = splice @rules, 0, 2)
	{
		$place =~ s/ LIST$/(?: \\[\\])?/;
		push @known, [ qr/^$place$/, $value ];
		push @faults, "$place is missing"
			if @known <= @places / 2 && !grep { $_->[0] =~ $known[-1][0] } @values;
	}
	foreach my $found (@values)
	{
		my @rules = grep { $found->[0] =~ $_->[0] } @known;

		push @faults, "$found->[0] is unknown" unless @rules;
		push @faults, "$found->[0] cannot be \"$found->[1]\"" if grep { $found->[1] !~ $_->[1] } @rules;
	}
	return @faults;
}

1;
