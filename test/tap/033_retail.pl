# The shop under examples/retail: one SQL file that ends with its own claims.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use File::Spec;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RetrainTest;
use Test::More;

my $node = new_node('retail', extension => 0);
my ($out, $err) = ('', '');
$node->safe_psql('postgres', 'create database retail');
plan skip_all => 'the module pg_retrain_xgboost is not installed'
    if $node->safe_psql('retail', 'create extension pg_retrain; select not exists (select from pg_ls_dir((select setting from pg_config() where name = \'PKGLIBDIR\')) f where f ~ \'^pg_retrain_xgboost\'); drop extension pg_retrain') eq 't';

chdir File::Spec->catfile(source_dir(), 'examples', 'retail') or die "no examples/retail: $!";
my @psql = ('psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', 'retail.sql', $node->connstr('retail'));
my $well = IPC::Run::run(\@psql, '>', \$out, '2>', \$err, IPC::Run::timeout(300));
ok($well, 'every claim holds') or diag($err);
like($out, qr/every claim holds/, 'and is said to');
like($out, qr/# Retraining report.*\| churn \| classification \| completed/s, 'one report over all models');
like($out, qr/# Experiment: precios dinámicos/, 'and one of the experiment');

ok(!IPC::Run::run(\@psql, '>', \$out, '2>', \$err), 'a second run in the same database is refused');
like($err, qr/has been run in this database/, 'and says why');

# A model whose label is one of its features is told from one that foresees.
my $warning = $node->safe_psql('retail', <<'SQL');
select warnings @? '$[*] ? (@.code == "leakage" && @.column == "recency_days")' from train_model('by_recency', 'classification',
  'select recency_days, frequency, monetary, recency_days > 90 as churned from shop.customers_on(''2011-12-09'')', 'churned', 'xgboost')
SQL
is($warning, 't', 'churn made of recency is a warning');
log_shows_no_crash($node);
done_testing();
