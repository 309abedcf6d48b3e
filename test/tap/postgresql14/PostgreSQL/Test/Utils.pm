# What PostgreSQL 14 installs under an older name.
package PostgreSQL::Test::Utils;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use TestLib;

our @EXPORT = @TestLib::EXPORT;

*tempdir = \&TestLib::tempdir;

1;
