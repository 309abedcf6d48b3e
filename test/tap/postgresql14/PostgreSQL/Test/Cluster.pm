# What PostgreSQL 14 installs under an older name.
package PostgreSQL::Test::Cluster;

use strict;
use warnings FATAL => 'all';

use PostgresNode;

sub new {
    my ($class, @name_and_options) = @_;
    return PostgresNode->get_new_node(@name_and_options);
}

1;
