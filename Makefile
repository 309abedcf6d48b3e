# pg_retrain: build, install, installcheck, dist.
#
#   make && make install              for the pg_config in PATH; PG_CONFIG=/path/to/pg_config for another
#   make installcheck                 on a running server (PGHOST, PGPORT, PGUSER)
#   make SANITIZE=address,undefined   an instrumented library, in a build directory of its own
#   make WERROR=1                     warnings are errors
#   make XGBOOST=no                   without the optional module pg_retrain_xgboost
#
# The core's sources are listed in src/core/sources.list, which CMakeLists.txt reads too, the glue's in
# src/pg/sources.list. The install script is src/sql/*.sql in the order of their names.

EXTENSION  := pg_retrain
EXTVERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'.*/\1/p" $(EXTENSION).control)
MODULE_big := $(EXTENSION)

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifeq ($(wildcard $(PGXS)),)
$(error PostgreSQL's build files are missing: install postgresql-server-dev-NN, or set PG_CONFIG to the pg_config of a server)
endif
PG_MAJOR := $(shell $(PG_CONFIG) --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/')
ifneq ($(shell test $(PG_MAJOR) -lt 14 && echo old),)
$(error PostgreSQL $(PG_MAJOR) is too old: pg_retrain needs PostgreSQL 14 or later ($(PG_CONFIG)))
endif
ifneq ($(shell test $(PG_MAJOR) -gt 18 && echo new),)
$(warning PostgreSQL $(PG_MAJOR) is newer than any version pg_retrain has been tested with (14 to 18))
endif

comma     := ,
read_list  = $(shell sed -e 's/\#.*//' -e 's/[[:space:]]//g' -e '/^$$/d' $(1) 2>/dev/null)
SOURCES   := $(addprefix core/,$(call read_list,src/core/sources.list)) $(addprefix pg/,$(call read_list,src/pg/sources.list))
BUILD_DIR := build/pg$(PG_MAJOR)$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))
OBJS      := $(SOURCES:%.cpp=$(BUILD_DIR)/%.o)

DATA       := $(sort $(wildcard src/sql/upgrade/*.sql))
DATA_built := $(EXTENSION)--$(EXTVERSION).sql
SQL_MODULES := $(sort $(wildcard src/sql/*.sql))

REGRESS   := $(patsubst sql/%.sql,%,$(sort $(wildcard sql/*.sql)))
ISOLATION := $(patsubst test/isolation/specs/%.spec,%,$(sort $(wildcard test/isolation/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test/isolation
EXTRA_CLEAN = build $(EXTENSION)--*.sql $(EXTENSION)-*.zip results regression.out regression.diffs

# Bitcode would only serve the inlining of our functions into jitted expressions, and would need clang.
override with_llvm := no

# -ffp-contract=off: the same rows and seed give the same model on every x86-64 machine. Hidden visibility: PostgreSQL
# loads libraries into one global namespace, where inline functions of two modules would replace each other; what has to
# be visible is marked in src/pg/pg.h. gcc 12 hardly vectorises at -O2. -fno-lto: Ubuntu's PostgreSQL passes -flto on to
# extensions, and linked so by gcc 13.2 half of a pair is lost when a vector of them grows (GCC bug 113359, fixed in 13.3).
WARNINGS    := -Wextra -Wno-register $(if $(WERROR),-Werror)
PG_CPPFLAGS := -Isrc
PG_CXXFLAGS := -std=c++20 -ffp-contract=off -fno-lto -fvisibility=hidden -fvisibility-inlines-hidden -pthread $(WARNINGS)
EIGEN_FLAGS := $(or $(shell pkg-config --cflags-only-I eigen3 2>/dev/null | sed 's/-I/-isystem /g'),-isystem /usr/include/eigen3)
SHLIB_LINK  := -lutf8proc -lstdc++ -lm -lpthread
ifdef SANITIZE
PG_CXXFLAGS += -fsanitize=$(SANITIZE) -fno-sanitize=vptr -O1 -fno-omit-frame-pointer
SHLIB_LINK  += -fsanitize=$(SANITIZE)
endif

# An instrumented library has to be linked again when the ordinary one comes back, and the other way round.
LINKED_FROM := $(shell cat build/linked-from 2>/dev/null)
ifneq ($(LINKED_FROM),$(BUILD_DIR))
$(shell rm -f $(MODULE_big).so $(MODULE_big).dylib $(EXTENSION)_xgboost.*; mkdir -p build; echo $(BUILD_DIR) >build/linked-from)
endif

include $(PGXS)

# The optional module on libxgboost: built where its header is, from version 1.7, left out where it is not. `make XGBOOST=no`
# leaves it out too.
XGBOOST ?= $(shell echo 'auto* needed = &XGQuantileDMatrixCreateFromCallback;' | $(CXX) -include xgboost/c_api.h -x c++ -fsyntax-only - 2>/dev/null && echo yes)
ifeq ($(XGBOOST),yes)
XGBOOST_MODULE := $(EXTENSION)_xgboost$(DLSUFFIX)
XGBOOST_OBJS   := $(BUILD_DIR)/xgboost/booster.o $(BUILD_DIR)/xgboost/module.o
endif
EXTRA_CLEAN += $(EXTENSION)_xgboost$(DLSUFFIX)

all: $(XGBOOST_MODULE)
install: install-xgboost
.PHONY: install-xgboost uninstall-xgboost
install-xgboost: $(XGBOOST_MODULE) | installdirs
	$(if $(XGBOOST_MODULE),$(INSTALL_SHLIB) $(XGBOOST_MODULE) '$(DESTDIR)$(pkglibdir)/$(XGBOOST_MODULE)')
uninstall: uninstall-xgboost
uninstall-xgboost:
	rm -f '$(DESTDIR)$(pkglibdir)/$(EXTENSION)_xgboost$(DLSUFFIX)'

# PGXS makes every object a secondary file, which is not missed while the library is newer than its source.
$(MODULE_big)$(DLSUFFIX): src/core/sources.list src/pg/sources.list

ifeq ($(PORTNAME),linux)
SHLIB_LINK += -Wl,--version-script=src/pg/exports.map
$(MODULE_big).so: src/pg/exports.map
endif

# The server's headers are system headers, so that our warnings are about our code. The core does not see them at all.
override CPPFLAGS := $(subst -I$(includedir_internal),-isystem $(includedir_internal),$(subst -I$(includedir_server),-isystem $(includedir_server),$(CPPFLAGS)))
ifdef SANITIZE
override CPPFLAGS := $(filter-out -D_FORTIFY_SOURCE%,$(CPPFLAGS))
endif
core_cppflags := $(filter -D%,$(CPPFLAGS)) -Isrc $(EIGEN_FLAGS)
pg_cppflags    = $(CPPFLAGS) -DRETRAIN_VERSION='"$(EXTVERSION)"'
optimise      := $(if $(SANITIZE),,-O3)

$(BUILD_DIR)/core/%.o: src/core/%.cpp Makefile | $(BUILD_DIR)/headers-found
	@$(MKDIR_P) $(@D)
	$(CXX) $(CXXFLAGS) $(if $(filter forecast/% intent/% linear/% neural/% tabular/%,$*),$(optimise)) -Wshadow $(core_cppflags) -MMD -MP -c -o $@ $<

$(BUILD_DIR)/pg/%.o: src/pg/%.cpp Makefile $(EXTENSION).control | $(BUILD_DIR)/headers-found
	@$(MKDIR_P) $(@D)
	$(CXX) $(CXXFLAGS) $(pg_cppflags) -MMD -MP -c -o $@ $<

$(BUILD_DIR)/xgboost/%.o: src/xgboost/%.cpp Makefile $(EXTENSION).control
	@$(MKDIR_P) $(@D)
	$(CXX) $(CXXFLAGS) $(pg_cppflags) -MMD -MP -c -o $@ $<

ifeq ($(XGBOOST),yes)
$(XGBOOST_MODULE): $(XGBOOST_OBJS) src/xgboost/exports.map
	$(CXX) $(CXXFLAGS) $(XGBOOST_OBJS) $(LDFLAGS) $(LDFLAGS_SL) -shared -o $@ -lxgboost -lpthread \
	  $(if $(filter linux,$(PORTNAME)),-Wl$(comma)--version-script=src/xgboost/exports.map) $(if $(SANITIZE),-fsanitize=$(SANITIZE))
endif

-include $(OBJS:.o=.d) $(XGBOOST_OBJS:.o=.d)

# $(call need,header,Debian package): one line that helps, instead of a page of compiler errors.
define need
	@echo '#include <$(1)>' | $(CXX) -std=c++20 -x c++ $(core_cppflags) -fsyntax-only - 2>/dev/null || \
	  { echo 'pg_retrain needs the header <$(1)>: install $(2) (Debian, Ubuntu) or what provides it on your system' >&2; exit 1; }
endef

$(BUILD_DIR)/headers-found:
	@$(MKDIR_P) $(@D)
	@echo 'int main() {}' | $(CXX) -std=c++20 -x c++ -fsyntax-only - || \
	  { echo 'pg_retrain needs a C++20 compiler: install g++ 10 or later (Debian, Ubuntu: g++), or set CXX' >&2; exit 1; }
	$(call need,utf8proc.h,libutf8proc-dev)
	$(if $(shell grep -rl '<Eigen/' src),$(call need,Eigen/Core,libeigen3-dev))
	$(call need,boost/math/distributions/normal.hpp,libboost-math-dev)
	@touch $@

# Written anew only when it changes; a module that was added or taken away counts as a change.
.PHONY: FORCE dist
$(EXTENSION)--$(EXTVERSION).sql: FORCE
	@for module in $(SQL_MODULES); do cat "$$module" && echo; done >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@ && echo "made $@ from src/sql"; fi

# The archive that goes to PGXN: what is committed, nothing else.
dist:
	git archive --format=zip --prefix=$(EXTENSION)-$(EXTVERSION)/ --output=$(EXTENSION)-$(EXTVERSION).zip HEAD
	@echo "made $(EXTENSION)-$(EXTVERSION).zip"
