# Programs that a test runs beside itself, and the files they read and write.
package Processes;

use strict;
use warnings;
use Exporter 'import';
use POSIX ();
use Time::HiRes qw(sleep time);
use PostgreSQL::Test::Utils;

our @EXPORT = qw(start_program wait_exit wait_until new_file write_file);

my $patience_s = 180; # only what fails waits so long
my $folder;
my $files = 0;
my %running; # pid => 1

# The name of a file that is not there yet.
sub new_file
{
	$folder //= PostgreSQL::Test::Utils::tempdir();
	return "$folder/" . ++$files;
}

# Writes it, a new one if none is named, at once: nobody reads half of it.
sub write_file
{
	my ($content, $mode, $file) = @_;
	$file //= new_file();

	open my $out, '>', "$file.new" or die "could not open $file.new: $!";
	print $out $content;
	close $out;
	chmod $mode // 0600, "$file.new";
	rename "$file.new", $file or die "could not write $file: $!";
	return $file;
}

# Its pid. It ends with the test at the latest. stdout and stderr as open() has
# them behind ">".
sub start_program
{
	my ($stdout, $stderr, @command) = @_;
	my $pid = fork // die "could not fork: $!";

	if ($pid == 0)
	{
		open STDIN, '<', '/dev/null';
		open STDOUT, ">$stdout";
		open STDERR, ">$stderr";
		exec @command or POSIX::_exit(126);
	}
	$running{$pid} = 1;
	return $pid;
}

END
{
	local $?;
	kill 'KILL', keys %running;
	waitpid $_, 0 foreach keys %running;
}

# Whether the condition has become true in time.
sub wait_until
{
	my ($condition) = @_;
	my $end = time + $patience_s;

	while (time < $end)
	{
		return 1 if $condition->();
		sleep 0.02;
	}
	return 0;
}

# The exit code of a program that should be about to end, or what ended it. Should
# it not end, it is kept from disturbing what follows.
sub wait_exit
{
	my ($pid) = @_;
	my $status;

	if (!wait_until(sub { waitpid($pid, POSIX::WNOHANG()) == $pid }))
	{
		kill 'KILL', $pid;
		waitpid $pid, 0;
		$status = 'still running';
	}
	else
	{
		$status = $? & 127 ? 'signal ' . ($? & 127) : $? >> 8;
	}
	delete $running{$pid};
	return $status;
}

1;
