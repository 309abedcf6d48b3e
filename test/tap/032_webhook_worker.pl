# The worker under examples/webhook-worker, with a webhook that first refuses and then takes what it is sent.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use Digest::SHA qw(hmac_sha256_hex);
use File::Spec;
use IO::Socket::INET;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RetrainTest;
use Test::More;

my ($program) = grep {
    my ($out, $err) = ('', '');
    have_program($_) && IPC::Run::run([ $_, node_loads_pg() ], '>', \$out, '2>', \$err)
} qw(node nodejs);
plan skip_all => 'no Node.js 16 or later here loads pg (packages nodejs, node-pg)' unless defined $program;

my $node = new_node('worker');
$node->safe_psql('postgres', q{create role webhook_worker login; select grant_retrain_access('webhook_worker', 'trainer')});
my $worker = File::Spec->catfile(source_dir(), 'examples', 'webhook-worker', 'index.js');

# A web server for `n` requests: answers each with `status`, and gives their headers and bodies.
my $listener = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1', Proto => 'tcp') or die "no port: $!";
my $url = 'http://127.0.0.1:' . $listener->sockport . '/hook';

sub serve {
    my ($n, $status) = @_;
    my @requests;
    while (@requests < $n) {
        my $client = $listener->accept or die "accept: $!";
        my ($head, $body) = ('', '');
        while (my $line = <$client>) {
            last if $line =~ /^\r?\n$/;
            $head .= $line;
        }
        my ($length) = $head =~ /^content-length: (\d+)/im;
        read $client, $body, $length;
        print $client "HTTP/1.1 $status\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        close $client;
        push @requests, { head => $head, body => $body };
    }
    return @requests;
}

# Starts the worker; gives its handle and where its output goes.
sub start_worker {
    my (@arguments) = @_;
    my ($out, $err) = ('', '');
    local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port, PGDATABASE => 'postgres', PGUSER => 'webhook_worker',
        WEBHOOK_URL => $url, WEBHOOK_SECRET => 'secreto');
    my $run = IPC::Run::start([ $program, $worker, @arguments ], '>', \$out, '2>', \$err, IPC::Run::timeout(120));
    return ($run, \$out, \$err);
}

sub status_of {
    return $node->safe_psql('postgres', q{select string_agg(concat_ws(' ', kind, status, attempts, last_error), ', ' order by id) from ai_notifications});
}

# ---- without a webhook, without a database ---------------------------------------------------------------------------
{
    my ($out, $err) = ('', '');
    local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port, PGUSER => 'webhook_worker');
    delete $ENV{WEBHOOK_URL};
    IPC::Run::run([ $program, $worker, '--once' ], '>', \$out, '2>', \$err);
    is($? >> 8, 2, 'without WEBHOOK_URL it ends');
    like($err, qr/WEBHOOK_URL is not set/, 'and says so');
}

# ---- a refusal, then a delivery --------------------------------------------------------------------------------------
$node->safe_psql('postgres', q{select retrain_push_notification('churn_alert', 'm', '{"nombre": "Ñandú"}')});
my ($run, $out, $err) = start_worker('--once');
serve(1, '503 Service Unavailable');
$run->finish;
is($run->result(0), 1, 'a refused delivery is its exit status');
like($$err, qr/not delivered 1 churn_alert: the webhook answered 503/, 'and is said');
is(status_of(), 'churn_alert pending 1 the webhook answered 503', 'the notification waits');

($run, $out, $err) = start_worker('--once');
$run->finish;
is($run->result(0), 0, 'before its time it is left alone');
$node->safe_psql('postgres', 'update ai_notifications set next_attempt_at = now()');
($run, $out, $err) = start_worker('--once');
my ($request) = serve(1, '200 OK');
$run->finish;
is($run->result(0), 0, 'then it is delivered');
is(status_of(), 'churn_alert delivered 2', 'and said to be');
like($request->{head}, qr{^POST /hook }, 'it was posted');
like($request->{head}, qr/^idempotency-key: 1\r?$/im, 'with its number');
like($request->{body}, qr/"kind":"churn_alert","model_name":"m".*"payload":\{"nombre":"Ñandú"\}/, 'and its payload');
my $signature = hmac_sha256_hex($request->{body}, 'secreto');
like($request->{head}, qr/^x-signature-256: sha256=$signature\r?$/im, 'signed');

# ---- one that stays, told by NOTIFY ----------------------------------------------------------------------------------
($run, $out, $err) = start_worker();
$node->poll_query_until('postgres', q{select count(*) = 1 from pg_stat_activity where application_name = 'webhook-worker' and query ~ 'claim_notifications' and state = 'idle'})
    or die 'the worker does not listen';
$node->safe_psql('postgres', q{select retrain_all()});
($request) = serve(1, '204 No Content');
like($request->{body}, qr/"kind":"retrain_report".*# Retraining report/, 'the monthly report arrives by itself');
$node->poll_query_until('postgres', q{select bool_and(status = 'delivered') from ai_notifications}) or die 'not delivered';
$run->signal('TERM');
$run->finish;
is($run->result(0), 0, 'it ends when told to');
log_shows_no_crash($node);
done_testing();
