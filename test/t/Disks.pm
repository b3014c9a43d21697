# Small disks of a test's own, which it may fill: each a tmpfs that nobody else sees.
package Disks;

use strict;
use warnings;
use Exporter 'import';
use File::Temp qw(tempdir);

our @EXPORT = qw(have_disks disk fill_disk free_disk);

my $folder = $ENV{OWN_DISKS};

# Starts the test again where it has these disks, name => size, if the kernel lets a user
# who is nobody special have them; to be called at BEGIN. Its processes end with it, however
# it ends.
sub have_disks
{
	my (%sizes) = @_;
	my @names = sort keys %sizes;
	my @root_of_own = qw(unshare --user --map-root-user --mount --pid --fork --kill-child --mount-proc);
	my @itself_again = ('unshare', '--user', '--map-user=' . $>, '--map-group=' . (split ' ', $))[0]);

	return 1 if defined $folder;
	return 0 if system(join(' ', @root_of_own, @itself_again, 'true 2>/dev/null'));
	$folder = $ENV{OWN_DISKS} = tempdir(TMPDIR => 1);
	mkdir "$folder/$_" foreach @names;
	my $mount = join '', map { "mount -t tmpfs -o mode=777,size=$sizes{$_} none '$folder/$_' && " } @names;
	exec @root_of_own, 'sh', '-c', "$mount \"\$@\"; exit \$?", 'own disks', @itself_again, $^X, $0
		or die "could not run unshare: $!";
}

sub disk
{
	my ($name) = @_;
	return "$folder/$name";
}

sub fill_disk
{
	my ($name) = @_;

	open my $filler, '>', "$folder/$name/filler" or die "could not open a file on $name: $!";
	foreach my $bytes (1_000_000, 4096)
	{
		my $more = "\0" x $bytes;
		1 while syswrite $filler, $more;
		$!{ENOSPC} or die "could not fill $name: $!";
	}
	close $filler;
	return;
}

sub free_disk
{
	my ($name) = @_;
	unlink "$folder/$name/filler" or die "could not free $name: $!";
	return;
}

1;
