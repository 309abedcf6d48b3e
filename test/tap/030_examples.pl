# The applications under examples/: each one runs its whole loop as a client of a server of its own, checks its claims
# itself, and is told apart from one that does not. A second run finds everything done and changes nothing.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use File::Spec;
use File::Temp;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RetrainTest;
use Test::More;

# The first of these commands that can load the client library, or undef.
sub client_of {
    my ($probe, @programs) = @_;
    for my $program (@programs) {
        my ($out, $err) = ('', '');
        next unless -x $program || have_program($program);
        return $program if IPC::Run::run([ $program, @$probe ], '>', \$out, '2>', \$err);
    }
    return;
}

my %app = (
    'support-assistant' => {
        program => scalar client_of([ '-c', 'import psycopg, psycopg_pool' ], 'python3', '/usr/bin/python3'),
        missing => 'no python3 here loads psycopg and psycopg_pool (packages python3-psycopg, python3-psycopg-pool)',
        main => 'main.py',
        model => 'support',
        users => [qw(support_app support_reviewer support_trainer)],
        messages => 235,
    },
    'sales-bot' => {
        program => scalar client_of([ node_loads_pg() ], 'node', 'nodejs'),
        missing => 'no Node.js 16 or later here loads pg (packages nodejs, node-pg)',
        main => 'index.js',
        model => 'sales',
        users => [qw(sales_bot sales_reviewer sales_trainer)],
        messages => 510,
    },
);

my $node;

# Runs an application and gives (exit status, output, errors).
sub run_app {
    my ($name) = @_;
    my $app = $app{$name};
    local $ENV{PGHOST} = $node->host;
    local $ENV{PGPORT} = $node->port;
    local $ENV{PGDATABASE} = 'shop';
    local $ENV{PGUSER};
    delete $ENV{PGUSER};
    local $ENV{PYTHONDONTWRITEBYTECODE} = 1;
    local $ENV{PYTHONIOENCODING} = 'UTF-8';
    local $ENV{SALES_OUTPUT} = File::Temp::tempdir(CLEANUP => 1);
    my ($out, $err) = ('', '');
    my $main = File::Spec->catfile(source_dir(), 'examples', $name, $app->{main});
    IPC::Run::run([ $app->{program}, $main ], '>', \$out, '2>', \$err, IPC::Run::timeout(600));
    $app->{files} = [ map { slurp_file($_) } sort glob("$ENV{SALES_OUTPUT}/*") ];
    return ($? >> 8, $out, $err);
}

# Everything that a model's tables hold, but for when rows were touched.
sub state_of {
    my ($model) = @_;
    return $node->safe_psql('shop', <<SQL);
select md5(string_agg((to_jsonb(d) - 'updated_at')::text, '' order by d.id)) from ai_training_data d where model_name = '$model';
select md5(string_agg(c::text, '' order by c.id)) from ai_intent_corrections c where model_name = '$model';
select md5(string_agg(r::text, '' order by r.id)) from ai_training_runs r where model_name = '$model';
select md5(string_agg(m::text, '' order by m.id)) from ai_model_metadata m where model_name = '$model';
select md5(string_agg(l::text, '' order by l.id)) from ai_model_deployments l where model_name = '$model';
SQL
}

sub one {
    my ($sql) = @_;
    return $node->safe_psql('shop', $sql);
}

for my $name (sort keys %app) {
    my $app = $app{$name};
    my $model = $app->{model};
    SKIP: {
        skip "$name: $app->{missing}", 1 unless defined $app->{program};
        if (!defined $node) {
            $node = new_node('examples', extension => 0, conf => "log_connections = on\n");
            $node->safe_psql('postgres', 'create database shop');
        }

        # ---- without its roles, and with them ------------------------------------------------------------------------
        my ($status, $out, $err) = run_app($name);
        is($status, 2, "$name: a database that is not set up is an error");
        like($err, qr/Has setup\.sql been run/, "$name: and says what to do");

        my $setup = File::Spec->catfile(source_dir(), 'examples', $name, 'setup.sql');
        for my $time (qw(first second)) {
            $node->command_ok([ 'psql', '-XqAt', '-f', $setup, $node->connstr('shop') ], "$name: setup.sql runs a $time time");
        }
        my $logged = -s $node->logfile;

        # ---- the whole loop ------------------------------------------------------------------------------------------
        ($status, $out, $err) = run_app($name);
        is($status, 0, "$name: the first run ends well") or diag("$out\n$err");
        is($err, '', "$name: without a complaint");
        unlike($out, qr/MISMATCH/, "$name: every claim holds");
        my ($checks) = $out =~ /^(\d+) checks passed, 0 failed$/m;
        cmp_ok($checks // 0, '>=', 30, "$name: it makes many");
        note($out);

        is(one("select count(*) || ' ' || count(distinct idempotency_key) from ai_training_data where model_name = '$model' and source = 'live'"),
            "$app->{messages} $app->{messages}", "$name: every message is recorded once");
        is(one("select count(*) filter (where corrected_by_human) || ' ' || count(*) filter (where intent_correct is null) "
                . "from ai_training_data where model_name = '$model' and source = 'live'"),
            "$app->{messages} 0", "$name: and reviewed");
        is(one("select count(*) from ai_intent_corrections where model_name = '$model'"), $app->{messages},
            "$name: by one correction each");
        is(one("select string_agg(status || ' ' || deployed || ' ' || triggered_by, ', ' order by created_at) "
                . "from ai_training_runs where model_name = '$model'"),
            "completed true $app->{users}[2], completed true $app->{users}[2]", "$name: two trainings, both by the trainer's role");
        is(one("select string_agg(status, ', ' order by id) from ai_model_metadata where model_name = '$model'"),
            'retired, live', "$name: the second version is live");
        is(one("select bool_and(model_version_id = (select min(id) from ai_model_metadata where model_name = '$model')) "
                . "from ai_training_data where model_name = '$model' and source = 'live'"),
            't', "$name: the first version predicted every message");

        # ---- again ---------------------------------------------------------------------------------------------------
        my $before = state_of($model);
        ($status, $out, $err) = run_app($name);
        is("$status$err", '0', "$name: the second run ends well") or diag("$out\n$err");
        is(state_of($model), $before, "$name: and changes nothing");

        # ---- who it was ----------------------------------------------------------------------------------------------
        my $log = substr(slurp_file($node->logfile), $logged);
        my %seen = map { $_ => 1 }
            $log =~ /connection authorized: user=(\S+) database=shop application_name=\Q$name\E/g;
        is(join(' ', sort keys %seen), join(' ', sort @{ $app->{users} }), "$name: it connects as its three roles only");

        # ---- what is wrong is noticed --------------------------------------------------------------------------------
        one("select record_interaction('somebody else', p_detected_intent => 'x', p_model_name => '$model', p_idempotency_key => 'intruder')");
        ($status, $out, $err) = run_app($name);
        is($status, 1, "$name: a message too many is a mismatch");
        like($out, qr/MISMATCH messages counted: $app->{messages}: .*@{[ $app->{messages} + 1 ]}/, "$name: in the metrics");
        one("delete from ai_training_data where idempotency_key = 'intruder'");
        one("select promote_model(min(id)) from ai_model_metadata where model_name = '$model'");
        ($status, $out, $err) = run_app($name);
        is($status, 1, "$name: the old version live again is a mismatch");
        like($out, qr/MISMATCH more messages are understood/, "$name: in the answers");
        one("select promote_model(max(id)) from ai_model_metadata where model_name = '$model'");
        one("select revoke_retrain_access('$app->{users}[1]')");
        ($status, $out, $err) = run_app($name);
        is($status, 2, "$name: a role that has lost its level is an error");
        like($err, qr/^error 42501: permission denied/, "$name: with its SQLSTATE");
    }
}

if (defined $node) {
    is(one(q{select string_agg(rolname, ' ' order by rolname) from pg_roles
            where rolname ~ '^(support|sales)_' and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb)}),
        '', 'no role of the examples has more than its level');
    log_shows_no_crash($node);
}
if (defined $app{'sales-bot'}{program}) {
    # What the last run that reached it wrote is gone with it: run once more with everything in place.
    one(q{select grant_retrain_access('sales_reviewer', 'reviewer', 'sales')});
    my ($status, $out, $err) = run_app('sales-bot');
    is("$status$err", '0', 'sales-bot: with its level back it ends well') or diag($out);
    like($app{'sales-bot'}{files}[0], qr/\AFROM llama3\.1:8b\n.*^MESSAGE user /ms, 'its Modelfile has examples');
    like($app{'sales-bot'}{files}[1], qr/\A\{"messages":\[\{"role":"system",.*"metadata":\{"category":.*"qualityScore":[45]\}\}$/m,
        'its dataset is lines of JSON');
}

done_testing();
