# Apollo. `make` alone lists the targets.

GO         ?= go
VERSION    ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS    := -s -w -X main.version=$(VERSION)
BUILD      := CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)'
LINT       := $(GO) tool -modfile=.tools/go.mod golangci-lint
FUZZTIME   ?= 10s
PYTHON     ?= python3
KILLS      ?= 200
FREEZES    ?= 50
STUDIES    ?= 1000
MACHINES_TRIALS ?= 120
SEEDS      ?= 2000
PLATFORMS  ?= linux/arm64 darwin/arm64
SIM_TESTS  := '^(TestStudyIsTheSameUnderFaultsAndKills|TestOnlyTheAskedEvaluatorMeasures|TestBusOlderThanTheArchive|TestArchiverLosesAndDoublesNothing)$$'
# 100 trials and 10 seeds took 13 minutes of CPU time; 300 are estimated at two
# hours, one on two idle cores.
PAPER_TRIALS ?= 300
PAPER_SEEDS  ?= 10
# A seed takes a minute of CPU time.
HARM_SEEDS ?= 20
# A seed takes half a minute of CPU time.
DEFAULT_SEEDS ?= 20
DEFAULT = --algorithms default --first-seed 101 --seeds $(DEFAULT_SEEDS) --data apollo-default --markdown docs/results.md
PRIOR_SEEDS ?= 20
PRIOR_FIRST ?= 1
HOURS      ?= 3
# What make upgrade upgrades from.
FROM       ?= HEAD~100
NAAS_TRIALS ?= 24
NAAS_SEEDS  ?= 10
JOINT_TRIALS ?= 100
NAAS_STRATEGIES ?= default,naas
LAYERS     ?= 30
SMALL_LAYERS ?= 300
# A guard against libraries that come in by accident. Of these, the client of object stores and its ways to credentials are 2.9 MB, and
# what sends spans to a collector 3.0 MB: docs/decisions/0034.
MAX_BINARY := 56000000

.DEFAULT_GOAL := help
# The version of axe-core that looks at the dashboard, and the checksum of its file.
AXE := 4.14.1
AXE_SUM := 29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c

.PHONY: help build cross test race lint fmt generate verify fuzz bench scale-out paper long peers results-default results-peers prior results-trouble results-naas results-joint explore explore-logs enumerate validate validate-peers sim printed chaos chaos-cluster machines many long-study faults logins upgrade wheel simulators python interop charts axe browser pictures browser-long up image dist dist-check kubernetes cover clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build the one static binary, bin/apollo
	$(BUILD) -o bin/apollo ./services/apollo
	@size=$$(wc -c < bin/apollo); echo "bin/apollo: $$size bytes"; \
	  test $$size -lt $(MAX_BINARY) || { echo "bin/apollo is larger than $(MAX_BINARY) bytes" >&2; exit 1; }

cross: ## check that it builds for other PLATFORMS (linux/arm64 darwin/arm64)
	@for platform in $(PLATFORMS); do echo $$platform; \
	  GOOS=$${platform%/*} GOARCH=$${platform#*/} $(BUILD) -o bin/apollo-$${platform%/*}-$${platform#*/} ./services/apollo || exit 1; \
	done

test: ## run every test
	$(GO) test ./...

race: ## run the tests under the race detector, without the long ones and the packages without goroutines
	packages=$$(GO=$(GO) .ci/raced) && $(GO) test -race -short -parallel 6 -timeout 25m $$packages

lint: ## run the linters, pinned in .tools/go.mod
	$(LINT) run ./...

fmt: ## format the code
	$(LINT) fmt ./...

generate: ## write the generated files again (schemas, AsyncAPI)
	$(GO) generate ./...

verify: ## check formatting, go fix, go vet and that generated files are up to date
	@out=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$out" || { echo "not formatted:"; echo "$$out"; exit 1; }
	@out=$$($(GO) fix -diff ./... 2>&1); test -z "$$out" || { echo "$$out"; echo "run: go fix ./..."; exit 1; }
	$(GO) vet ./...
	$(GO) generate ./...
	@out=$$(git status --porcelain -- events/schema docs); test -z "$$out" || { echo "generated files lag behind their source:"; echo "$$out"; exit 1; }

fuzz: ## run every fuzz target for FUZZTIME (10s)
	@grep -rl --include='*_test.go' '^func Fuzz' $$($(GO) list -f '{{.Dir}}' ./...) | sort -u | while read -r file; do \
	  for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$file"); do \
	    dir=$$(dirname "$$file"); echo "== $$target in $${dir#$(CURDIR)/}"; \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$dir" < /dev/null || exit 1; \
	  done; \
	done

bench: build ## measure the pipeline against the bare loop, and the packages' benchmarks
	bin/apollo bench pipeline
	$(GO) test -run '^$$' -bench . -benchmem ./...

scale-out: build ## measure how throughput grows from 1 to 32 evaluator processes
	bin/apollo bench scale-out -o wide

paper: build ## rerun the paper's comparison (PAPER_TRIALS, PAPER_SEEDS) and write docs/results.md
	nice bin/apollo bench --suite apollo --lane paper --algorithms random,evolution,gp-bandit,mbo,p3bo --reference gp-bandit \
	  --trials $(PAPER_TRIALS) --seeds $(PAPER_SEEDS) --data apollo-paper --any-build \
	  --svg docs/figures --markdown docs/results.md

harm: build ## measure what misleading sources cost (HARM_SEEDS, 20), and write docs/results.md
	nice bin/apollo bench --suite transfer-adversarial --split test --first-seed 101 --seeds $(HARM_SEEDS) --trials 100 \
	  $(foreach kind,negated shuffled corrupt failing template five every,--task '*-$(kind)') \
	  --data apollo-harm --any-build --markdown docs/results.md

results-trouble: build ## measure the default strategy with penalties, failures and noise (DEFAULT_SEEDS, 20), and write docs/results.md
	nice bin/apollo bench --suite trouble --split test --trials 60 $(DEFAULT) --first-seed 131

results-default: results-trouble ## measure it also on bbob and with several objectives (DEFAULT_SEEDS, 20), and write docs/results.md
	nice bin/apollo bench --suite bbob --split test --trials 100 $(DEFAULT)
	nice bin/apollo bench --suite multi --split test --trials 100 $(DEFAULT)

long: ## measure a suggestion of the default strategy after 100 to 20,000 trials
	$(GO) test -run '^$$' -bench LongStudy -benchtime 8x ./optimizer
	$(GO) test -run '^$$' -bench Suggestion -benchtime 5x ./lab/suite

peers: build ## install other optimizers into .peers and check their adapters; says what does not install
	examples/peers/install.sh

results-peers: build ## compare with what `make peers` installed for HOURS (3) of CPU time, and write docs/results-peers.md
	HOURS=$(HOURS) examples/peers/results.sh

prior: ## compare searches with a prior and without, PRIOR_SEEDS (20) seeds from PRIOR_FIRST (1) on: the tables of docs/transfer.md#a-prior; a seed takes 2 s of CPU time
	APOLLO_PRIOR=$(PRIOR_SEEDS) APOLLO_PRIOR_FIRST=$(PRIOR_FIRST) $(GO) test -count=1 -timeout 60m -v -run '^TestPriorExperiments$$' ./optimizer/transfer

results-naas: ## compare sizes, mapping and connectivity under the caps of five chips for HOURS (3) of CPU time, and write docs/results-naas.md
	$(GO) build -o bin/naas ./lab/naas
	nice bin/naas -hours $(HOURS) -trials $(NAAS_TRIALS) -seeds $(NAAS_SEEDS) -strategies $(NAAS_STRATEGIES)

results-joint: ## compare the joint search of chip and network with each alone for HOURS (3) of CPU time, and write docs/results-naas.md
	$(GO) build -o bin/naas ./lab/naas
	nice -n 19 bin/naas -joint test -data apollo-joint -hours $(HOURS) -trials $(JOINT_TRIALS) -seeds $(NAAS_SEEDS)

explore: ## let a policy learn, and count the cells of behaviour that strategies cover: the table of docs/results.md#exploration
	$(GO) run ./lab/explore -learn

# A strategy takes 44 s of CPU time.
EXPLORE_LOGS = bin/apollo bench --suite transfer-networks --task '*-6p8' --split test --algorithms default --reference default --seeds 6 --trials 40 --source-trials 100 --data apollo-explore-logs

explore-logs: build ## what logs of default, random, explore and its policy teach a search: the second table of docs/results.md#exploration
	for by in default random explore; do nice $(EXPLORE_LOGS) --source-algorithm $$by || exit 1; done
	nice $(EXPLORE_LOGS) --source-algorithm explore --source-policy examples/explore-policy.json

enumerate: ## compare the mapper of spatial with every mapping of LAYERS (30) large and SMALL_LAYERS (300) small layers, and with the exact search of 200 larger ones, those of nvdla, shidiannao and simba with every mapping of small layers and with what changes of 150 others find; APOLLO_SEED draws others
	APOLLO_ENUMERATE_LAYERS=$(LAYERS) APOLLO_ENUMERATE_SMALL=$(SMALL_LAYERS) APOLLO_ENUMERATE_LARGE=200 APOLLO_CLIMB=150 $(GO) test -count=1 -timeout 120m -v -run '^(TestSpatialAgainstAllMappings|TestSpatialOnSmallLayers|TestSpatialOnLargeLayers|TestTileSearchAgainstAllMappings|TestMapperAgainstClimbing)$$' ./evaluator/template

validate: ## compare the cost model with what is published, and with the references in APOLLO_REFS (../shared/refs)
	@$(GO) run ./services/apollo validate

validate-peers: ## run ZigZag and SCALE-Sim beside the cost model, in an environment of their own, and write the page
	lab/validate/peers/run.sh

sim: SHELL := bash
sim: .SHELLFLAGS := -o pipefail -c
sim: ## simulate studies with every fault, with SEEDS (2000) seeds in each test that draws them
	APOLLO_SIM_SEEDS=$(SEEDS) $(GO) test -count=1 -timeout 180m -v -run $(SIM_TESTS) ./services | grep -Ev '^=== |--- PASS: .*/'

printed: ## run the commands that README.md and the pages of docs print; what README.md shows must be the answer
	APOLLO_PRINTED=1 $(GO) test -count=1 -v -run 'Test(PrintedCommands|Readme)$$' ./services/apollo

chaos: ## kill real processes KILLS (200) times and compare with an undisturbed run
	APOLLO_CHAOS_KILLS=$(KILLS) $(GO) test -count=1 -timeout 60m -v -run 'Chaos|Store' ./tests/chaos

chaos-cluster: ## freeze (FREEZES, 50) and kill (KILLS, 200) the servers of a cluster and its services
	APOLLO_CHAOS_KILLS=$(KILLS) APOLLO_CHAOS_FREEZES=$(FREEZES) $(GO) test -count=1 -timeout 120m -v -run 'ChaosCluster$$' ./tests/chaos
	APOLLO_REPLICATED=1 $(GO) test -count=1 -timeout 60m -run 'TestConformanceReplicated$$' ./events/natsbus

machines: ## two workers as on two machines: a program that crashes and hangs measures MACHINES_TRIALS (120) trials, and the workers are killed and frozen
	APOLLO_MACHINES_TRIALS=$(MACHINES_TRIALS) $(GO) test -count=1 -timeout 60m -v -run 'TestTwoMachines$$' ./tests/chaos

many: ## run STUDIES (1000) small studies at once, and say what memory and CPU time each role took
	APOLLO_MANY_STUDIES=$(STUDIES) $(GO) test -count=1 -timeout 60m -v -run 'TestManyStudies$$' ./tests/chaos

long-study: ## run one study of TRIALS (1000000) trials, and say at each tenth what memory each role has
	APOLLO_LONG_TRIALS=$(or $(TRIALS),1000000) $(GO) test -count=1 -timeout 60m -v -run 'TestLongStudy$$' ./tests/chaos

faults: ## make everything go wrong that an operator has to know of, and write into docs/operate.md when it is seen
	APOLLO_FAULTS=$(CURDIR)/docs/operate.md $(GO) test -count=1 -timeout 60m -v -run 'TestFaultsAreSeen$$' ./tests/chaos

logins: ## try every way to log in with every command and role, and write the table of docs/cluster.md
	APOLLO_LOGINS=$(CURDIR)/docs/cluster.md $(GO) test -count=1 -timeout 30m -v -run 'TestLoginMatrix$$' ./services/apollo

upgrade: ## replace every process of the build of the commit FROM (HEAD~100) by this one's while a study runs
	rm -rf bin/old && mkdir -p bin/old && git archive $(FROM) | tar -x -C bin/old && cd bin/old && $(GO) build -o ../apollo-old ./services/apollo
	APOLLO_OLD_BINARY=$(CURDIR)/bin/apollo-old $(GO) test -count=1 -timeout 20m -v -run 'TestUpgradeOnDisk$$' ./tests/chaos; status=$$?; rm -r bin/old; exit $$status

wheel: build ## build the Python wheel with the binary in it, clients/python/dist
	cd clients/python && APOLLO_BINARY=$(CURDIR)/bin/apollo $(PYTHON) -m pip wheel --quiet --no-deps --wheel-dir dist .
	@ls -l clients/python/dist

simulators: wheel ## install other people's simulators and run their studies for TRIALS (4) designs; says what does not install
	examples/simulators/run.sh

python: build ## test the Python package: pytest, mypy, a wheel in a fresh environment, a notebook
	cd tests/interop && $(GO) test -count=1 -run 'TestPythonClient' -v .

interop: ## read the log with DuckDB, pyarrow and polars; submit with the nats command
	cd tests/interop && $(GO) test -count=1 ./...

charts: ## fetch the chart library again from npm, as web/vendor/VERSION says
	@cd services/dashboard/web/vendor && version=$$(sed -n 's/^echarts \([0-9.]*\),.*/\1/p' VERSION) && dir=$$(mktemp -d) && \
	  npm pack --silent --pack-destination "$$dir" "echarts@$$version" >/dev/null && tar -xzf "$$dir"/echarts-*.tgz -C "$$dir" && \
	  cp "$$dir/package/dist/echarts.min.js" "$$dir/echarts.min.js" && want=$$(sed -n '2p' VERSION) && (cd "$$dir" && echo "$$want" | sha256sum -c -) && \
	  { if command -v zopfli >/dev/null; then zopfli -c "$$dir/echarts.min.js"; else gzip -9nc "$$dir/echarts.min.js"; fi; } > echarts.min.js.gz && cp "$$dir/package/LICENSE" "$$dir/package/NOTICE" . && rm -r "$$dir"

browser: axe ## look at the dashboard with a real Chromium; skipped where there is none, unless CI=true
	cd tests/browser && $(GO) test -count=1 ./...

pictures: axe ## take the pictures of the dashboard in docs/figures again, in a real Chromium; 3 minutes
	cd tests/browser && APOLLO_FIGURES=../../docs/figures $(GO) test -count=1 -run TestDashboard .

browser-long: ## measure the dashboard with 10^3 to 10^6 trials, 50 moving studies, 20 and 200 who watch; 25 minutes
	cd tests/browser && APOLLO_BROWSER_LONG=1 $(GO) test -count=1 -timeout 90m -v -run TestLong .

axe: ## fetch axe-core from npm for the test of the dashboard, which is skipped without it
	@cd tests/browser && if [ ! -f axe.min.js ] && command -v npm >/dev/null; then dir=$$(mktemp -d) && \
	  { npm pack --silent --pack-destination "$$dir" axe-core@$(AXE) >/dev/null && tar -xzf "$$dir"/axe-core-*.tgz -C "$$dir" && \
	  echo "$(AXE_SUM)  $$dir/package/axe.min.js" | sha256sum -c --quiet - && cp "$$dir/package/axe.min.js" . || echo "axe-core was not fetched: its test is skipped"; }; rm -rf "$$dir"; fi

up: build ## start everything in one process, for any NATS client
	bin/apollo up

image: build ## build the container image from the static binary
	docker build -t apollo:$(VERSION) -t apollo:latest .

dist: ## build archives for every platform with completions, SBOM and checksums, dist/
	$(GO) run ./lab/dist -version $(VERSION) -out dist

dist-check: ## build one archive twice, in two folders, and compare the bytes
	rm -rf dist/one dist/two dist/cache
	$(GO) run ./lab/dist -version $(VERSION) -out dist/one -only linux/amd64
	GOCACHE=$(CURDIR)/dist/cache $(GO) run ./lab/dist -version $(VERSION) -out dist/two -only linux/amd64
	cmp dist/one/checksums.txt dist/two/checksums.txt && rm -r dist/one dist/two dist/cache

kubernetes: ## hold the manifests of deploy/kubernetes to the types of the API, then to its schemas, which are fetched
	cd tests/kubernetes && $(GO) test -count=1 ./...
	$(GO) tool -modfile=.tools/dist/go.mod kubeconform -strict -summary deploy/kubernetes/apollo.yaml

cover: ## print the coverage of every package
	$(GO) test -short -cover ./...

clean: ## remove what was built
	rm -rf bin dist
