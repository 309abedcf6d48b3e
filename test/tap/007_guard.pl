# The wall between C++ and PostgreSQL: src/pg/guard.h and src/pg/owned.h in a module that throws on purpose.
#
# Each of these mistakes was made on purpose once, and what it did is what these checks would show:
#   ereport over a live C++ object            megabytes leak with every error: the memory checks
#   ereport inside a catch block              the exception leaks with its message: the memory check of long messages
#   an exception leaves the module            std::terminate, the whole cluster restarts: every check, and the log
#   an exception leaves a PG_TRY block        the next error crashes the server: errors inside savepoints and
#                                             EXCEPTION blocks, one after another
#   return inside PG_TRY                      the same
#   an Eigen expression of wrong dimensions   abort, the cluster restarts; with NDEBUG a number from memory outside
#                                             the matrix: "eigen"

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use Encode qw(decode FB_CROAK);
use File::Basename qw(basename);
use File::Copy qw(copy);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RetrainTest;
use Test::More;

# ---- build -----------------------------------------------------------------------------------------------------------

my $pg_config = $ENV{PG_CONFIG} || 'pg_config';
chomp(my $headers = `$pg_config --includedir-server`);
plan skip_all => 'needs the build files of the server' unless -e "$headers/postgres.h";
plan skip_all => 'needs make and a C++ compiler' unless have_program('make') && grep { have_program($_) } qw(g++ c++ clang++);

my $directory = PostgreSQL::Test::Utils::tempdir();
my $source = source_dir();
copy($_, "$directory/" . basename($_)) or die "cannot copy $_: $!" for glob("$source/test/modules/guard/*");
my $output = `make -j2 -C '$directory' RETRAIN_SOURCE='$source' PG_CONFIG='$pg_config' 2>&1`;
is($?, 0, 'the module compiles') or do { diag($output); done_testing(); exit 1 };
my ($library) = grep { -e $_ } map { "$directory/retrain_guard_test.$_" } qw(so dylib);

# The extension itself is loaded beside it: both hold the same code, and each must run its own.
my $node = new_node('guard', preload => 1, steady_malloc => 1);
$node->safe_psql('postgres', <<SQL);
create function guard_throw(kind text, message bytea default '', detail bytea default '', hint bytea default '') returns void
  language c strict as '$library', 'guard_throw';
create function guard_own(outcome text) returns void language c strict as '$library', 'guard_own';
create function guard_work() returns void language c as '$library', 'guard_work';
create function guard_made() returns bigint language c as '$library', 'guard_made';
create function guard_destroyed() returns bigint language c as '$library', 'guard_destroyed';

-- Catches what is thrown, inside a subtransaction.
create function caught(kind text, message bytea default '', detail bytea default '', hint bytea default '') returns text
  language plpgsql as \$\$
declare
  v_state text; v_message text; v_detail text; v_hint text;
begin
  perform guard_throw(kind, message, detail, hint);
  return 'nothing was thrown';
exception when others or query_canceled or assert_failure then
  get stacked diagnostics v_state = returned_sqlstate, v_message = message_text, v_detail = pg_exception_detail,
    v_hint = pg_exception_hint;
  return concat_ws('|', v_state, v_message, v_detail, v_hint);
end
\$\$;
create function caught_again_and_again(n int, kind text, message bytea default '') returns text language plpgsql as \$\$
declare
  v_last text;
begin
  for i in 1 .. n loop
    v_last := caught(kind, message, message, message);
  end loop;
  return left(v_last, 5);
end
\$\$;
SQL

# ---- each kind, once -------------------------------------------------------------------------------------------------

my $session = session($node);
my $pid = session_pid($session);

my %code = (
    invalid_parameter => '22023',
    undefined_object => '42704',
    data_corrupted => 'XX001',
    not_supported => '0A000',
    out_of_memory => '53200',
    limit_exceeded => '54000',
    internal => 'XX000',
    nested => 'XX001',
);
for my $kind (sort keys %code) {
    my $result = $session->query("select guard_throw('$kind', 'the message', 'the detail', 'the hint')");
    is(join('|', map { $_ // 'none' } @{$result}{qw(sqlstate message detail hint)}),
        "$code{$kind}|the message|the detail|the hint", "$kind: SQLSTATE, message, detail and hint");
    $result = $session->query("select guard_throw('$kind', 'the message')");
    is(join('|', map { $_ // 'none' } @{$result}{qw(sqlstate message detail hint)}),
        "$code{$kind}|the message|none|none", "$kind: no detail and no hint of its own accord");
}

my %foreign = (
    cancelled => [ '57014', qr/^canceling statement due to user request/ ],
    bad_alloc => [ '53200', qr/^out of memory/ ],
    huge_vector => [ '53200', qr/^out of memory/ ],
    length_error => [ 'XX000', qr/basic_string/ ],
    system_error => [ 'XX000', qr/the message/ ],
    runtime_error => [ 'XX000', qr/the message/ ],
    int => [ 'XX000', qr/unknown type/ ],
);
$foreign{eigen} = [ 'XX000', qr/./ ] if -e "$source/src/core/base/eigen.h";
for my $kind (sort keys %foreign) {
    error_is($session->query("select guard_throw('$kind', 'the message')"), @{ $foreign{$kind} }, "$kind: its SQLSTATE");
}
is($session->query_ok("select guard_throw('nothing')"), '', 'what throws nothing returns');
is(session_pid($session), $pid, 'the connection survived all of them');
$code{$_} = $foreign{$_}[0] for keys %foreign;

# A percent sign is no format, and a message may have lines.
my $result = $session->query(q{select guard_throw('internal', '100 % of %s, %n and %m', '%d', '%x')});
is(join('|', @{$result}{qw(message detail hint)}), '100 % of %s, %n and %m|%d|%x', 'texts are no formats');
$result = $session->query(q{select guard_throw('internal', convert_to(E'first line\nsecond line', 'UTF8'))});
is($result->{message}, "first line\nsecond line", 'lines stay');

# ---- inside savepoints and EXCEPTION blocks --------------------------------------------------------------------------

for my $kind (sort keys %code) {
    is($session->query_ok("select left(caught('$kind', 'm', 'd', 'h'), 5)"), $code{$kind}, "$kind is caught by PL/pgSQL");
    $result = $session->query(<<SQL);
begin;
create temp table kept (i int);
savepoint a;
select guard_throw('$kind', 'first');
rollback to a;
savepoint b;
select guard_throw('$kind', 'second');
rollback to b;
select 1 / 0;
rollback to a;
select 'still here';
drop table kept;
commit
SQL
    my @states = $result->{err} =~ /ERROR:\s+(\w{5}):/g;
    is("@states $result->{out}", "$code{$kind} $code{$kind} 22012 still here", "$kind inside savepoints");
}
is($session->query_ok(q{select caught('data_corrupted', 'm', 'd', 'h')}), 'XX001|m|d|h', 'PL/pgSQL reads all four');
# One block around another, each with an error of its own.
is($session->query_ok(<<'SQL'), '', 'errors in nested blocks');
do $$
begin
  for i in 1 .. 50 loop
    begin
      begin
        perform guard_throw('internal', 'inner');
      exception when internal_error then
        perform guard_throw('data_corrupted', 'outer');
      end;
      raise 'not reached';
    exception when data_corrupted then
      begin
        perform 1 / 0;
      exception when division_by_zero then
        null;
      end;
    end;
  end loop;
end
$$
SQL

# ---- long and broken texts -------------------------------------------------------------------------------------------

sub valid_utf8 {
    my ($bytes) = @_;
    return defined eval { decode('UTF-8', my $copy = $bytes, FB_CROAK) };
}

for my $kind ('invalid_parameter', 'runtime_error') {
    for my $shift (0 .. 3) {
        $result = $session->query(
            "select guard_throw('$kind', m, m, m) from (select convert_to(repeat('x', $shift) || repeat('😀', 25000), 'UTF8') as m) t");
        my $shown = $kind eq 'runtime_error' ? $result->{detail} : $result->{message};
        ok(($result->{sqlstate} // '') eq $code{$kind} && valid_utf8($result->{err}) && $shown =~ /\Ax{$shift}(?:😀){50,}/,
            "$kind, 100 kB of characters of four bytes, shifted by $shift: cut at the edge of one")
            or diag(substr($result->{err}, 0, 300));
    }
}

# Bytes that are no text must not hide what went wrong, nor reach a client as they are.
my %broken = (
    'cut in the middle of a character' => q{'\x636166c3'},
    'bytes that no character has' => q{'\xff63fe6166c0'},
    'an overlong form' => q{'\x63c0af6166'},
    'a lone surrogate' => q{'\x63eda0806166'},
);
for my $kind ('data_corrupted', 'runtime_error', 'system_error') {
    for my $what (sort keys %broken) {
        $result = $session->query("select guard_throw('$kind', $broken{$what}, $broken{$what}, $broken{$what})");
        is($result->{sqlstate}, $code{$kind}, "$kind with $what: its own SQLSTATE") or diag($result->{err});
        ok(valid_utf8($result->{err}), "$kind with $what: the client gets valid text");
    }
}
my $latin = session($node, encoding => 'LATIN1');
for my $kind ('data_corrupted', 'runtime_error') {
    for my $what (sort keys %broken) {
        is($latin->query("select guard_throw('$kind', $broken{$what})")->{sqlstate}, $code{$kind},
            "$kind with $what to a client of another encoding: its own SQLSTATE");
    }
}
is($latin->query_ok('select 1'), '1', 'that connection survives');
$latin->close;

# ---- objects that a memory context owns ------------------------------------------------------------------------------

sub objects_are_gone {
    my ($in, $what, $made) = @_;
    is($in->query_ok('select guard_made() - guard_destroyed()'), '0', "$what: every object is destroyed");
    is($in->query_ok('select guard_made()'), $made, "$what: and they were made");
    return;
}

$session->query_ok(q{select guard_own('return') from generate_series(1, 10)});
objects_are_gone($session, 'after a statement', 10);
error_is($session->query(q{select guard_own('ereport')}), '22012', undef, 'an error of PostgreSQL');
objects_are_gone($session, 'after an error of PostgreSQL', 11);
error_is($session->query(q{select guard_own('throw')}), 'XX001', undef, 'an error of the core');
objects_are_gone($session, 'after an error of the core', 12);
error_is($session->query(q{select guard_own('maker')}), '53200', undef, 'an object that fails while it is made');
objects_are_gone($session, 'after an object that fails while it is made', 14);
error_is($session->query(q{set statement_timeout = 50; select guard_own('work'); reset statement_timeout}), '57014',
    qr/statement timeout/, 'a timeout');
$session->query_ok('reset statement_timeout');
objects_are_gone($session, 'after a timeout', 15);
$session->query(q{begin; select guard_own('return'); savepoint a; select guard_own('throw'); rollback to a; select guard_own('return'); commit});
objects_are_gone($session, 'after an error in a savepoint', 18);
$session->query_ok(q{do $$ begin perform guard_own('throw'); exception when others then perform guard_own('return'); end $$});
objects_are_gone($session, 'after an error in a PL/pgSQL block', 20);

# ---- cancel, timeout, termination while the core works ---------------------------------------------------------------

error_is($session->query('set statement_timeout = 20; select guard_work()'), '57014',
    qr/^canceling statement due to statement timeout/, 'work behind the guard times out, and says so');
$session->query_ok('reset statement_timeout');
$session->start('select guard_work()');
ok($node->poll_query_until('postgres',
        "select state = 'active' and query like '%guard_work%' from pg_stat_activity where pid = $pid"), 'the core works');
# Not a cancel: the work goes on.
$node->safe_psql('postgres', "select pg_log_backend_memory_contexts($pid)");
$node->safe_psql('postgres', 'select pg_reload_conf()');
is($node->safe_psql('postgres', "select state from pg_stat_activity where pid = $pid"), 'active', 'other signals do not end it');
$node->safe_psql('postgres', "select pg_cancel_backend($pid)");
error_is($session->finish, '57014', qr/^canceling statement due to user request/, 'work behind the guard is cancelled');
is($session->query_ok('select 1'), '1', 'the session goes on');

my $victim = session($node);
my $victim_pid = session_pid($victim);
$victim->start(q{select guard_own('work')});
ok($node->poll_query_until('postgres',
        "select state = 'active' and query like '%guard_own%' from pg_stat_activity where pid = $victim_pid"), 'the core works');
$node->safe_psql('postgres', "select pg_terminate_backend($victim_pid)");
$result = $victim->finish;
ok($result->{lost} && ($result->{sqlstate} // '') eq '57P01', 'work behind the guard is terminated') or diag($result->{err});

# ---- thousands of each: memory stays flat -----------------------------------------------------------------------------

SKIP: {
    skip 'needs /proc', 1 unless -d "/proc/$pid";

    # The log would only fill the disk.
    $session->query_ok('set log_min_messages = fatal; set client_min_messages = error');
    # Twelve batches of a statement, the first two of which fill caches. $calls: how many calls a batch makes.
    my $flat = sub {
        my ($what, $calls, $sql, $expected) = @_;
        my (@points, %seen);
        for my $batch (1 .. 12) {
            my $result = $session->query($sql);
            last if $result->{lost};
            ++$seen{$_} for $result->{err} =~ /(?:ERROR|FATAL):\s+(\w{5}):/g;
            ++$seen{$_} for split /\n/, $result->{out};
            push @points, [ $batch * $calls, memory_kb($pid) ] if $batch > 2;
        }
        $what = 10 * $calls . " x $what";
        is(join(' ', map { "$_ x $seen{$_}" } sort keys %seen), $expected, "$what: the same answer each time");
        my $slope = slope_kb(1000, @points);
        cmp_ok($slope, '<=', 64, "$what: memory stays flat") or diag(join ' ', map { "$_->[0]:$_->[1]" } @points);
        return;
    };
    for my $kind (sort keys %code) {
        # At top level, and by the hundred in one transaction.
        $flat->($kind, 200, "select guard_throw('$kind', 'm', 'd', 'h');\n" x 200, "$code{$kind} x 2400");
        $flat->("$kind in PL/pgSQL", 200, "select caught_again_and_again(200, '$kind', 'm')", "$code{$kind} x 12");
    }
    $session->query_ok(q{create temp table long as select convert_to(repeat('long', 25000), 'UTF8') as m});
    for my $kind ('invalid_parameter', 'runtime_error') {
        $flat->("a message of 100 kB, $kind", 50, "select guard_throw('$kind', m, m, m) from long;\n" x 50, "$code{$kind} x 600");
    }
    $flat->('an object owned, an error of the core', 200, "select guard_own('throw');\n" x 200, 'XX001 x 2400');
    $flat->('an object owned, an error of PostgreSQL', 200, "select guard_own('ereport');\n" x 200, '22012 x 2400');
    $session->query_ok('set statement_timeout = 1');
    $flat->('a timeout', 50, "select guard_work();\n" x 50, '57014 x 600');
    $session->query_ok('reset statement_timeout');
    is($session->query_ok('select guard_made() - guard_destroyed()'), '0', 'every object is destroyed');
    is(thread_count($pid), 1, 'no thread is left');
}

# A database of another encoding: the core speaks UTF-8, and what cannot be said there must not hide the error.
$node->safe_psql('postgres', q{create database latin encoding 'LATIN1' locale 'C' template template0});
$node->safe_psql('latin', <<SQL);
create function guard_throw(kind text, message bytea default '', detail bytea default '', hint bytea default '') returns void
  language c strict as '$library', 'guard_throw';
SQL
my $other = session($node, database => 'latin');
for my $kind ('invalid_parameter', 'runtime_error') {
    $result = $other->query(qq{select guard_throw('$kind', '\\x636166c3a9', '\\x636166c3a9', '\\x636166c3a9')});
    my $shown = $kind eq 'runtime_error' ? $result->{detail} : $result->{message};
    is("$result->{sqlstate} " . ($shown // ''), "$code{$kind} café", "$kind in a LATIN1 database: converted");
    $result = $other->query(qq{select guard_throw('$kind', '\\xe282ac20f09f9880', '\\xe280a6', '\\xe280a6')});
    is($result->{sqlstate}, $code{$kind}, "$kind in a LATIN1 database that cannot say it: its own SQLSTATE")
        or diag($result->{err});
}
$other->close;

log_shows_no_crash($node);
done_testing();
