# Somebody who types what a document shows: one terminal with a shell, another one
# with psql, on a server of its own.
package DocumentSession;

use strict;
use warnings;
use Cwd qw(getcwd);
use IPC::Open2;
use PostgreSQL::Test::Utils;
use Documents;
use Processes;

my $patience_s = 120;

# A session on node. Files that it makes are in a folder of its own, where all that
# is in the sources is too.
sub new
{
	my ($class, $node) = @_;
	my $folder = PostgreSQL::Test::Utils::tempdir();
	my $self = bless { node => $node, folder => $folder }, $class;

	symlink $_, "$folder/" . s{.*/}{}r foreach glob(root() . '/*');
	mkdir "$folder/stubs";
	# We are who we are, and what is installed is installed.
	write_file(qq{#!/bin/sh\n[ "\$1" != -u ] || shift 2\nexec "\$@"\n}, 0755, "$folder/stubs/sudo");
	write_file("#!/bin/sh\n", 0755, "$folder/stubs/apt-get");
	$self->{shell} = $self->start('exec sh 2>&1');
	# What it started ends with it. (In a subshell, dash knows of no jobs.)
	$self->sh('trap "jobs -p >.jobs; kill \$(cat .jobs) 2>/dev/null" EXIT');
	return $self;
}

# A program in the session's folder, to be spoken to.
sub start
{
	my ($self, $command) = @_;
	my $back = getcwd();

	local $ENV{PATH} = "$self->{folder}/stubs:$ENV{PATH}";
	local $ENV{PGHOST} = $self->{node}->host;
	local $ENV{PGPORT} = $self->{node}->port;
	local $ENV{PYTHONUNBUFFERED} = 1;
	# Whatever proxy the environment names, it is not between us and ourselves.
	local $ENV{no_proxy} = '*';
	delete local $ENV{PGDATABASE};
	chdir $self->{folder};
	my $pid = open2(my $out, my $in, $command);
	chdir $back;
	return { pid => $pid, in => $in, out => $out };
}

sub end
{
	my ($program) = @_;

	close $program->{in};
	kill 'KILL', $program->{pid} unless wait_until(sub { waitpid($program->{pid}, 1) != 0 });
	return;
}

# Says it, and returns all that is answered up to a line "@@ something", and that.
sub ask
{
	my ($program, $text) = @_;
	my $answer = '';
	my $in = $program->{in};

	local $SIG{ALRM} = sub { die "no answer in time to: $text\n$answer" };
	alarm $patience_s;
	print $in $text;
	$in->flush;
	while (defined(my $line = readline $program->{out}))
	{
		if ($line =~ /^(.*)@@ (.*)$/)
		{
			alarm 0;
			return ($answer . $1, $2);
		}
		$answer .= $line;
	}
	alarm 0;
	die "the end of the program came after: $text\n$answer";
}

# What psql prints for a statement.
sub psql
{
	my ($self, $statement) = @_;

	$self->{psql} //= $self->start('exec psql -X -d shop 2>&1');
	return (ask($self->{psql}, "$statement\n\\echo @@ -\n"))[0];
}

# What commands print; they must all succeed.
sub sh
{
	my ($self, $commands) = @_;
	my $file = write_file($commands);
	my ($answer, $status) =
	  ask($self->{shell}, "set -e\n. $file </dev/null\nset +e\necho \"@@ \$?\"\n");

	return $answer;
}

# Writes a program that a command will run.
sub save
{
	my ($self, $name, $text) = @_;

	write_file($text, 0644, "$self->{folder}/$name");
	return;
}

# What a program prints; one that would go on for ever is stopped once that is all it
# should.
sub python
{
	my ($self, $program, $expected) = @_;
	my $file = write_file($program);
	my ($python) = grep { system("$_ -c 'import psycopg' 2>/dev/null") == 0 } qw(python3 /usr/bin/python3);
	my $running = $self->start("exec $python $file 2>&1");
	my $answer = '';

	local $SIG{ALRM} = sub { die "the program has not come to its end:\n$answer" };
	alarm $patience_s;
	while (defined(my $line = readline $running->{out}))
	{
		$answer .= $line;
		kill 'TERM', $running->{pid} if $program =~ /while True:/ && $answer eq $expected;
	}
	alarm 0;
	end($running);
	return $answer;
}

# Puts it into postgresql.conf and restarts the server.
sub configure
{
	my ($self, $lines) = @_;

	end(delete $self->{psql}) if $self->{psql};
	$self->{node}->append_conf('postgresql.conf', $lines);
	$self->{node}->restart;
	return;
}

sub finish
{
	my ($self) = @_;

	end(delete $self->{$_}) foreach grep { $self->{$_} } qw(psql shell);
	$self->{node}->stop;
	return;
}

1;
