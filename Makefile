# commerce: a PostgreSQL extension
#
#   make && make install        build and install it, as with any PGXS extension
#   make installcheck           regression and isolation tests on your running server
#   make test, demo, bench      on a throw-away server of their own; these need nothing
#                               but make beforehand: see test/packages.sh
#
# PG_CONFIG=/path/to/pg_config chooses the PostgreSQL to build for.

EXTENSION = commerce
DATA = $(wildcard sql/commerce--*.sql)
MODULE_big = commerce
OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c)))

# PostgreSQL's own headers do not pass -Wextra; as system headers they need not.
# -MMD -MP: PGXS on Debian does not track header dependencies.
PG_CPPFLAGS = -isystem $(includedir_server)
PG_CFLAGS = -Wall -Wextra -Wno-unused-parameter -MMD -MP
EXTRA_CLEAN = src/*.d

# Results are in expected/, found because there is no --outputdir. PGXS gives
# isolation tests one, so they need it taken back.
REGRESS = $(sort $(patsubst test/sql/%.sql,%,$(wildcard test/sql/*.sql)))
REGRESS_OPTS = --inputdir=test --encoding=UTF8
ISOLATION = $(sort $(patsubst test/specs/%.spec,%,$(wildcard test/specs/iso_*.spec)))
ISOLATION_OPTS = --inputdir=test --outputdir=.

# Bitcode would only let JIT inline functions that are far too big for it, and
# needs clang.
override with_llvm = no

all:

PG_CONFIG ?= pg_config
PGXS := $(wildcard $(shell $(PG_CONFIG) --pgxs 2>/dev/null))
ifneq ($(PGXS),)
include $(PGXS)
-include $(OBJS:.o=.d)
else
all install uninstall installcheck clean:
	@echo "$(PG_CONFIG) knows no PGXS: install PostgreSQL's server headers" \
		"(Debian: postgresql-server-dev-15) or set PG_CONFIG" >&2; exit 1
endif

demo:
	@test/packages.sh
	@test/server.sh test/demo/run.sh

test:
	@test/packages.sh test
	@COPT=-Werror test/server.sh -c fsync=off test/run.sh

bench:
	@test/bench/run.sh

checkver:
	@test/checkver.sh

.PHONY: all install uninstall installcheck clean demo test bench checkver
