# commerce: a PostgreSQL extension
#
# "make help" lists what can be made. What runs on a server of its own needs nothing
# but make beforehand: see test/packages.sh.
#
# PG_CONFIG=/path/to/pg_config chooses the PostgreSQL to build for; RELAY=no leaves
# out commerce_relay, the program that transmits events, and needs neither libcurl
# nor libmicrohttpd; STOPS=1 builds stop points in, for tests: src/base/stop.h.

EXTENSION = commerce commerce_router
SQL_VERSION := $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" commerce.control)
RELEASE := $(shell sed -n 's/.*"version": "\(.*\)".*/\1/p' META.json | sed 1q)
SCRIPT = sql/commerce--$(SQL_VERSION).sql
SCRIPT_PARTS = $(sort $(wildcard sql/[0-9]*.sql))
DATA = $(wildcard sql/commerce--*--*.sql)
# The router's script: what it shares with its nodes is printed from their parts.
ROUTER_SCRIPT = sql/commerce_router--$(SQL_VERSION).sql
ROUTER_PARTS = $(sort $(wildcard sql/router/[0-9]*.sql))
SHARED_PARTS = $(filter sql/1% sql/3% sql/5%,$(SCRIPT_PARTS))
DATA_built = $(SCRIPT) $(ROUTER_SCRIPT)
MODULE_big = commerce
OBJS = $(patsubst %.c,%.o,$(filter-out src/relay/%,$(sort $(wildcard src/*/*.c))))

# PostgreSQL's own headers do not pass -Wextra; as system headers they need not.
# -MMD -MP: PGXS on Debian does not track header dependencies.
PG_CPPFLAGS = -Isrc -isystem $(includedir_server)
ifeq ($(STOPS),1)
PG_CPPFLAGS += -DCOMMERCE_STOPS
endif
PG_CFLAGS = -Wall -Wextra -Wno-unused-parameter -MMD -MP
EXTRA_CLEAN = src/*/*.d src/relay/*.o $(RELAY_PROGRAM)

# The program shares nothing with the extension but the version. Its rules are
# here, since PGXS builds either a module or a program.
RELAY_PROGRAM = src/relay/commerce_relay
# What Debian compiles programs with; from PGXS only the flags that are no include.
HARDENING = $(filter -D%,$(CPPFLAGS))
RELAY_OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/relay/*.c)))

# Results are in expected/, found because there is no --outputdir. PGXS gives
# isolation tests one, so they need it taken back. A launcher gives these their
# helpers.
REGRESS = $(sort $(patsubst test/sql/%.sql,%,$(wildcard test/sql/*.sql)))
REGRESS_OPTS = --inputdir=test --encoding=UTF8
ISOLATION = $(sort $(patsubst test/specs/%.spec,%,$(wildcard test/specs/iso_*.spec)))
ISOLATION_OPTS = --inputdir=test --outputdir=. --launcher="test/specs/run.sh '$(bindir)/psql'"

# Bitcode would only let JIT inline functions that are far too big for it, and
# needs clang.
override with_llvm = no

all: ## build the extension and commerce_relay
install: ## install them into the PostgreSQL of PG_CONFIG
uninstall: ## take them away again
installcheck: ## run regression and isolation tests on your running server
clean: ## remove what was built

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

PG_CONFIG ?= pg_config
PGXS := $(wildcard $(shell $(PG_CONFIG) --pgxs 2>/dev/null))
ifeq ($(MAKECMDGOALS),check)
# PGXS has a target of this name, which says that there is none.
check: ## run one test of any kind on a server of its own: T=NAME, or several: T="NAME NAME"
	@test/check.sh $(T)
else ifneq ($(PGXS),)
include $(PGXS)
-include $(OBJS:.o=.d)
ifneq ($(RELAY),no)
-include $(RELAY_OBJS:.o=.d)

all: $(RELAY_PROGRAM)
install: install-relay
uninstall: uninstall-relay

$(RELAY_PROGRAM): $(RELAY_OBJS)
	$(CC) $(CFLAGS) $^ $(LDFLAGS) $(LDFLAGS_EX) -L$(libdir) -lpq -lcurl -lcrypto -lmicrohttpd -o $@

$(RELAY_OBJS): %.o: %.c commerce.control | relay-headers
	$(CC) $(CFLAGS) $(HARDENING) -Wshadow -DCOMMERCE_VERSION='"$(SQL_VERSION)"' \
		-I$(includedir) -c $< -o $@

relay-headers:
	@for header in libpq-fe.h curl/curl.h openssl/evp.h microhttpd.h; do \
		echo "#include <$$header>" | $(CC) -I$(includedir) -E - >/dev/null 2>&1 || { \
		echo "commerce_relay needs $$header: install libpq's, libcurl's, OpenSSL's and libmicrohttpd's headers" \
			"(Debian: libpq-dev libcurl4-openssl-dev libssl-dev libmicrohttpd-dev)," \
			"or build the extension alone: make RELAY=no" >&2; exit 1; }; \
	done

install-relay: $(RELAY_PROGRAM)
	$(MKDIR_P) '$(DESTDIR)$(bindir)' '$(DESTDIR)$(mandir)/man1'
	$(INSTALL_PROGRAM) $(RELAY_PROGRAM) '$(DESTDIR)$(bindir)/'
	$(INSTALL_DATA) doc/commerce_relay.1 '$(DESTDIR)$(mandir)/man1/'

uninstall-relay:
	rm -f '$(DESTDIR)$(bindir)/commerce_relay' \
		'$(DESTDIR)$(mandir)/man1/commerce_relay.1'

.PHONY: relay-headers install-relay uninstall-relay
endif
else
all install uninstall installcheck:
	@echo "$(PG_CONFIG) knows no PGXS: install PostgreSQL's server headers" \
		"(Debian: postgresql-server-dev-all) or set PG_CONFIG" >&2; exit 1

clean:
	rm -f $(MODULE_big).so $(OBJS) $(DATA_built) $(EXTRA_CLEAN)
	rm -rf results output_iso log tmp_check tmp_check_iso regression.diffs regression.out
endif

# Always joined anew: that a part was removed shows in no file's time.
$(SCRIPT): FORCE
	@awk 'FNR == 1 && NR > 1 { print "" } { print }' $(SCRIPT_PARTS) >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(ROUTER_SCRIPT): FORCE
	@{ cat sql/router/00_*.sql && perl sql/router/generate.pl types $(SHARED_PARTS) && \
		cat sql/router/[2-5]*.sql && perl sql/router/generate.pl proxies $(SHARED_PARTS) && \
		cat sql/router/[67]*.sql && perl sql/router/generate.pl api $(SHARED_PARTS) && \
		cat sql/router/9*.sql; } >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

dist: $(SCRIPT) $(ROUTER_SCRIPT) ## pack the sources of a release, script built, as commerce-VERSION.zip
	@[ -e .git ] || { echo "make dist packs what is committed: it needs a git clone" >&2; exit 1; }
	@[ -z "$$(git status --porcelain)" ] || { \
		echo "make dist packs what is committed: commit or remove what git status shows" >&2; exit 1; }
	git archive --format=zip --prefix=commerce-$(RELEASE)/sql/ --add-file=$(SCRIPT) --add-file=$(ROUTER_SCRIPT) \
		--prefix=commerce-$(RELEASE)/ --output=commerce-$(RELEASE).zip HEAD

deb: ## build the Debian packages in clean roots, into deb: DEB_RELEASE="bookworm trixie"
	@test/build_deb.sh

demo: ## show a day in a shop, on a server of its own
	@test/packages.sh
	@echo "Building commerce, and starting a server for the demo"
	@test/server.sh -c shared_preload_libraries=commerce -c commerce.databases=postgres \
		test/demo/run.sh

demo-cluster: ## show a rush at a router and three nodes, of which one is killed
	@test/packages.sh cluster
	@echo "Building commerce, and starting a server for the router"
	@RELAY=no test/server.sh test/demo_cluster/run.sh

test: ## run all tests on a server of their own
	@test/packages.sh test
	@COPT=-Werror test/server.sh -c fsync=off test/run.sh

accept: ## take what a regression or isolation test prints as expected: T=NAME
	@test/check.sh --accept $(T)

test-assertions: ## run tests, or T="NAME KIND", on a server that checks its assertions; DISCARD=1: and caches nothing
	@test/assertions.sh $(T)

test-sanitize: ## run tests, those of the relay too, on code with sanitizers: all, or T="NAME KIND"
	@test/packages.sh sanitize
	@test/sanitize.sh $(T)

test-valgrind: ## run the regression tests, or T="NAME KIND", with the server under valgrind
	@test/packages.sh valgrind
	@test/valgrind.sh $(T)

test-sqlsmith: ## send made-up queries as each level of access, SQLSMITH_SECONDS (600) each, or T="LEVEL"
	@test/packages.sh sqlsmith
	@test/sqlsmith.sh $(T)

test-stops: ## walk calls through their interleavings and failures, with stop points built in
	@test/packages.sh release
	@STOPS=1 RELAY=no COPT=-Werror test/server.sh -c fsync=off test/run.sh 071_interleave 079_failures

test-mutants: ## break the engine in known ways, one at a time: the model must see each
	@test/packages.sh release
	@RELAY=no test/server.sh -c fsync=off -c autovacuum=off -c max_prepared_transactions=50 -c commerce.notify=off \
		-c commerce.max_charge_amount=4611686018427387904 /usr/bin/python3 test/model/mutants.py

mutate: ## change the C code of a purchase at random, MUTATIONS (300) times: a test must notice each
	@test/packages.sh test
	@RELAY=no test/server.sh -c fsync=off -c max_prepared_transactions=50 \
		/usr/bin/python3 test/mutation.py $(or $(MUTATIONS),300) $(or $(SEED),1)

test-matrix: ## run tests on other Debian releases, with their PostgreSQL
	@test/matrix.sh

test-upgrade: ## take a shop from PostgreSQL 15 to 17 and to 18 by pg_upgrade
	@test/major_upgrade.sh

test-deb: ## build, install, upgrade and purge the Debian packages in clean roots
	@test/deb.sh

test-container: ## do what the Containerfile says, without an engine
	@test/container.sh

indent: ## lay the C files out; CHECK=1 only says what would change
	@test/packages.sh indent
	@test/indent.pl $(if $(CHECK),--check)

typedefs: ## renew the lists of types that indent needs
	@test/packages.sh
	@test/typedefs.sh

lint: ## see what cppcheck and clang-tidy find in the C files
	@test/packages.sh lint
	@test/lint.sh

coverage: ## run tests, all or T="NAME KIND", and show which lines of C they reach
	@test/packages.sh coverage
	@test/coverage.sh $(T)

report: ## write a page about the shop in PGDATABASE for its owner: commerce-report.html
	@report/report.sh

fuzz: ## give parsers made-up input for FUZZ_SECONDS (60) each: all, or T="NAME"
	@test/packages.sh fuzz
	@test/fuzz.sh $(T)

soak: ## run tests for MINUTES (10) each that "make test" runs for seconds: all, or T="NAME"
	@test/packages.sh test
	@test/soak.sh $(T)

bench: ## measure calls beside their peers
	@test/bench/run.sh

checkver: ## check that versions and names agree
	@test/checkver.sh

.PHONY: FORCE all install uninstall installcheck clean help dist deb demo demo-cluster test test-assertions \
	test-sanitize test-valgrind test-sqlsmith test-stops test-mutants mutate test-matrix test-upgrade test-deb test-container check accept indent typedefs lint coverage fuzz soak report bench checkver
