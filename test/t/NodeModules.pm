# The packages of npm that tests need: test/node names them and their versions.
package NodeModules;

use strict;
use warnings;
use Exporter 'import';
use FindBin;
use File::Copy 'copy';
use PostgreSQL::Test::Utils;

our @EXPORT = qw(new_node_folder);

# A folder with all of them in its node_modules, for the programs that a test puts
# there. Without the registry this ends the test: Debian has none of them.
sub new_node_folder
{
	my $folder = PostgreSQL::Test::Utils::tempdir();

	copy("$FindBin::RealBin/../node/$_", $folder) or die "could not copy $_: $!"
		foreach qw(package.json package-lock.json);
	my $said = qx(cd '$folder' && npm ci --no-audit --no-fund 2>&1);
	$? == 0 or die "npm could not install what test/node names: $said";
	return $folder;
}

1;
