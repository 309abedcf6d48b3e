# What the tests of this directory share: servers with the extension, data, sessions that can be cancelled, memory.
package RetrainTest;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use File::Basename qw(dirname);
use File::Spec;
use Test::More;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(
    new_node
    new_standby
    catch_up
    source_dir
    data_file
    load_dataset
    create_watcher
    train
    train_sql
    answers_sql
    answers
    counts
    session
    session_pid
    memory_kb
    thread_count
    slope_kb
    have_program
    node_loads_pg
    error_is
    log_shows_no_crash
);

# Directory of the checkout: this file is test/tap/lib/RetrainTest.pm.
sub source_dir {
    return File::Spec->rel2abs(File::Spec->catdir(dirname(__FILE__), File::Spec->updir, File::Spec->updir,
            File::Spec->updir));
}

sub data_file {
    my ($name) = @_;
    return File::Spec->catfile(source_dir(), 'test', 'data', "$name.csv");
}

# A running server with the extension in database "postgres". Options: preload => 1 preloads the library, streaming => 1
# lets standbys connect, conf => text is appended to postgresql.conf, extension => 0 leaves the extension out,
# steady_malloc => 1 gives freed memory back at once, so that what a process holds can be compared.
sub new_node {
    my ($name, %option) = @_;
    my $node = PostgreSQL::Test::Cluster->new($name);
    $node->init(allows_streaming => $option{streaming} ? 1 : 0, extra => [ '--encoding=UTF8', '--locale=C' ]);
    # Memory is measured, and crashes are meant to be survived: nothing else may run, and the server comes back.
    $node->append_conf('postgresql.conf', <<'CONF');
autovacuum = off
jit = off
log_statement = none
log_min_messages = warning
max_connections = 30
restart_after_crash = on
shared_buffers = 32MB
timezone = 'UTC'
CONF
    $node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_retrain'\n") if $option{preload};
    $node->append_conf('postgresql.conf', $option{conf}) if defined $option{conf};
    # glibc's own thresholds move with what was freed before, in steps of a megabyte and more; and what lies in the heap
    # below a block in use is not given back.
    my %malloc = (TRIM_THRESHOLD_ => 131072, MMAP_THRESHOLD_ => 16384, ARENA_MAX => 1);
    local @ENV{ map { "MALLOC_$_" } keys %malloc } = values %malloc if $option{steady_malloc};
    $node->start;
    $node->safe_psql('postgres', 'create extension pg_retrain') unless defined $option{extension} && !$option{extension};
    return $node;
}

# A running standby of a server that was made with streaming => 1.
sub new_standby {
    my ($primary, $name) = @_;
    $primary->backup($name);
    my $standby = PostgreSQL::Test::Cluster->new($name);
    $standby->init_from_backup($primary, $name, has_streaming => 1);
    $standby->start;
    return $standby;
}

# Waits until the standby has replayed all that the primary has written.
sub catch_up {
    my ($primary, $standby) = @_;
    $primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
    return;
}

# Loads one of the shipped datasets into a table (id, text, intent, split). At most $limit intents, in the order of
# their names.
sub load_dataset {
    my ($node, $database, $table, $name, $limit) = @_;
    my $file = data_file($name);
    my $cut = defined $limit
        ? "delete from $table where intent not in (select distinct intent from $table order by 1 limit $limit);"
        : '';
    $node->safe_psql($database, <<SQL);
create table $table (id int generated always as identity primary key, text text, intent text, split text);
copy $table (text, intent, split) from '$file' (format csv, header);
$cut
analyze $table;
SQL
    return;
}

# The statement that trains. Options: model, config, source, promote, run_name.
sub train_sql {
    my (%option) = @_;
    my @arguments;
    my %name = (model => 'p_model_name', config => 'p_config', source => 'p_source', promote => 'p_promote',
        run_name => 'p_run_name');
    for my $key (sort keys %option) {
        die "no option $key" unless $name{$key};
        push @arguments, "$name{$key} => \$arg\$$option{$key}\$arg\$";
    }
    return 'select status, deployed, model_version_id, coalesce(error_message, \'-\') from train_intent_model('
        . join(', ', @arguments) . ')';
}

# Trains and gives (status, deployed, version id, error message).
sub train {
    my ($node, $database, %option) = @_;
    return split /\|/, $node->safe_psql($database, train_sql(%option)), 4;
}

# Everything that a model says of the test rows of a table, one line for each: the query that gives it.
sub answers_sql {
    my ($table, $model) = @_;
    return <<SQL;
select r.id, p::text, classify_intent(r.text, '$model'),
  (select string_agg(e::text, ';' order by e.place)
   from explain_intent(r.text, '$model') with ordinality as e (feature, kind, tfidf, weight, contribution, place))
from $table r, predict_intent(r.text, '$model') p
where r.split = 'test'
order by r.id
SQL
}

sub answers {
    my ($node, $database, $table, $model) = @_;
    return $node->safe_psql($database, answers_sql($table, $model));
}

# Number of runs, versions, live versions, deployments and models, as one text to compare.
sub counts {
    my ($node, $database) = @_;
    return $node->safe_psql($database, <<'SQL');
select (select count(*) from ai_training_runs), (select count(*) from ai_model_versions),
  (select count(*) from ai_model_versions where is_active), (select count(*) from ai_model_deployments),
  (select count(*) from ai_models)
SQL
}

# Makes act_in_phase(pid, phase, action): waits until that process trains and is in that phase, then cancels it,
# terminates it or does nothing. Gives "done"; "missed" when the training ended first.
sub create_watcher {
    my ($node, $database) = @_;
    $node->safe_psql($database, <<'SQL');
create function act_in_phase(p_pid int, p_phase text, p_action text) returns text language plpgsql as $$
declare
  v_phase text;
  v_seen boolean := false;
begin
  for v_look in 1 .. 100000 loop
    select phase into v_phase from ai_training_progress where pid = p_pid;
    if found then
      v_seen := true;
      if v_phase = p_phase then
        if p_action = 'cancel' then
          perform pg_cancel_backend(p_pid);
        elsif p_action = 'terminate' then
          perform pg_terminate_backend(p_pid);
        end if;
        return 'done';
      end if;
    elsif v_seen then
      return 'missed';
    end if;
    perform pg_sleep(0.001);
  end loop;
  return 'never';
end
$$;
SQL
    return;
}

# An open connection, see RetrainTest::Session below.
sub session {
    return RetrainTest::Session->new(@_);
}

sub session_pid {
    my ($session) = @_;
    return $session->query_ok('select pg_backend_pid()');
}

# Memory of a process that is its own, in kB: without shared buffers and without the pages of programs, which come and go;
# with what the system has put away meanwhile.
sub memory_kb {
    my ($pid) = @_;
    my $status = slurp_file("/proc/$pid/status");
    my ($swapped) = $status =~ /^VmSwap:\s+(\d+) kB/m;
    return $1 + ($swapped // 0) if $status =~ /^RssAnon:\s+(\d+) kB/m;
    return $1 if $status =~ /^VmRSS:\s+(\d+) kB/m;
    die "no memory in /proc/$pid/status";
}

sub thread_count {
    my ($pid) = @_;
    my @threads = glob("/proc/$pid/task/*");
    return scalar @threads;
}

# Slope of a line through (x, y) pairs, times $per: the median slope of all pairs (Sen, Estimates of the regression
# coefficient based on Kendall's tau, 1968). A heap whose end is now free, now not, jumps by a megabyte to and fro; what
# is lost again and again tilts most pairs.
sub slope_kb {
    my ($per, @points) = @_;
    my @slopes;
    for my $i (1 .. $#points) {
        push @slopes, map { ($points[$i][1] - $_->[1]) / ($points[$i][0] - $_->[0]) } @points[ 0 .. $i - 1 ];
    }
    @slopes = sort { $a <=> $b } @slopes;
    return $per * $slopes[ @slopes / 2 ];
}

# Arguments with which a Node.js that the examples can run on, 16 or later with pg, ends well.
sub node_loads_pg {
    return ('-e', q{require('pg'); process.exit(parseInt(process.versions.node) < 16 ? 1 : 0)});
}

sub have_program {
    my ($program) = @_;
    for my $directory (File::Spec->path) {
        return 1 if -x File::Spec->catfile($directory, $program);
    }
    return 0;
}

# One check: the result of Session::query is this error.
sub error_is {
    my ($result, $sqlstate, $message, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $right = !$result->{lost} && defined $result->{sqlstate} && $result->{sqlstate} eq $sqlstate
        && (!defined $message || $result->{error} =~ $message);
    ok($right, $name)
        or diag("expected $sqlstate" . (defined $message ? " and $message" : '') . ', got '
            . ($result->{lost} ? 'a lost connection: ' : '')
            . substr($result->{err} || 'no error: ' . ($result->{out} // ''), 0, 2000));
    return $right;
}

# One check: no process of the server died in a way that nobody meant. $allowed: a pattern of lines that were meant.
sub log_shows_no_crash {
    my ($node, $allowed) = @_;
    my @lines = grep { /PANIC:|TRAP:|was terminated by signal|AddressSanitizer|runtime error:/ }
        split /\n/, slurp_file($node->logfile);
    @lines = grep { $_ !~ $allowed } @lines if defined $allowed;
    is(join("\n", @lines), '', 'no process of the server ' . $node->name . ' died');
    return;
}

# A connection through psql that stays open, takes statements without waiting for their end, and shows errors with
# SQLSTATE, detail and hint.
package RetrainTest::Session;

use strict;
use warnings FATAL => 'all';

use IPC::Run;

# Options: database, user, encoding (of the client).
sub new {
    my ($class, $node, %option) = @_;
    my $self = bless { in => '', out => '', err => '', marks => 0 }, $class;
    my $connection = $node->connstr($option{database} // 'postgres');
    $connection .= " user=$option{user}" if defined $option{user};
    local $ENV{PGCLIENTENCODING} = $option{encoding} // 'UTF8';
    my @command = (
        'psql', '--no-psqlrc', '--quiet', '--no-align', '--tuples-only', '--set', 'ON_ERROR_STOP=0', '--set',
        'VERBOSITY=verbose', '--file', '-', '--dbname', $connection);
    $self->{timer} = IPC::Run::timer($ENV{PG_TEST_TIMEOUT_DEFAULT} || 180);
    $self->{run} = IPC::Run::start(\@command, '<', \$self->{in}, '>', \$self->{out}, '2>', \$self->{err}, $self->{timer});
    $self->query_ok('select 1');
    return $self;
}

# Sends statements and returns at once.
sub start {
    my ($self, $sql) = @_;
    my $mark = 'retrain-test-mark-' . ++$self->{marks};
    $self->{mark} = $mark;
    $self->{out} = $self->{err} = '';
    $self->{in} .= "$sql\n;\n\\echo $mark\n\\warn $mark\n";
    $self->{timer}->start;
    # Until psql has taken all of it.
    eval { $self->{run}->pump_nb while length $self->{in} && $self->{run}->pumpable; };
    return;
}

# Whether what start() sent has ended; does not wait.
sub ended {
    my ($self) = @_;
    eval { $self->{run}->pump_nb; } if $self->{run}->pumpable;
    return $self->{out} =~ /^$self->{mark}\r?\n/m && $self->{err} =~ /^$self->{mark}\r?\n/m || !$self->{run}->pumpable;
}

# Waits for the end of what start() sent. Gives {out, err, sqlstate, error, message, detail, hint, lost}: error is all of
# the first error's text, lost says that the connection is gone.
sub finish {
    my ($self) = @_;
    my $mark = $self->{mark};
    my $seen = qr/^$mark\r?\n/m;
    my $lost = 0;
    until ($self->{out} =~ $seen && $self->{err} =~ $seen) {
        if (!$self->{run}->pumpable || !eval { $self->{run}->pump; 1 }) {
            die "a statement took too long: $self->{err}\n" if $@ =~ /timeout/;
            # What psql said last may still be in the pipe.
            eval { $self->{run}->finish; };
            $lost = 1;
            last;
        }
    }
    $self->{timer}->reset;
    $self->{lost} = 1 if $lost;
    my %result = (out => $self->{out}, err => $self->{err}, lost => $lost);
    $result{$_} =~ s/^$mark\r?\n//m for qw(out err);
    $result{out} =~ s/\n\z//;
    if ($result{err} =~ /\b(?:ERROR|FATAL|PANIC):\s+([0-9A-Z]{5}): (.*)/s) {
        ($result{sqlstate}, $result{error}) = ($1, $2);
        ($result{message}) = $result{error} =~ /\A(.*?)(?=\n(?:LINE \d+|DETAIL|HINT|QUERY|CONTEXT|LOCATION):|\z)/s;
        for my $field (qw(detail hint)) {
            my $key = uc $field;
            ($result{$field}) = $result{error} =~ /^$key:  (.*?)(?=\n(?:HINT|QUERY|CONTEXT|LOCATION):|\z)/ms;
        }
    }
    return \%result;
}

sub query {
    my ($self, $sql) = @_;
    $self->start($sql);
    return $self->finish;
}

# The output of statements that must not fail.
sub query_ok {
    my ($self, $sql) = @_;
    my $result = $self->query($sql);
    die "failed: $sql\n$result->{err}" if $result->{lost} || defined $result->{sqlstate};
    return $result->{out};
}

sub close {
    my ($self) = @_;
    return if $self->{lost};
    $self->{in} .= "\\q\n";
    eval { $self->{run}->finish; };
    $self->{lost} = 1;
    return;
}

1;
