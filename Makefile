# hb-mesh: `make run` shows it, `make test` proves it, `make help` lists the rest.

SHELL := /bin/bash -o pipefail
.DEFAULT_GOAL := help

# What the project installs for itself, in ignored folders.
VENV  := .venv
CACHE := $(CURDIR)/.cache
LINT  := $(CACHE)/bin/golangci-lint

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
GOTEST  := go test -count=1

export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build all commands into bin/
	@mkdir -p bin
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/hb-relay ./cmd/hb-broker ./cmd/hbctl ./cmd/hb-sim

.PHONY: run
run: build ## run the whole mesh on this machine (ARGS="--webhook URL")
	@exec bin/hb-sim demo $(ARGS)

.PHONY: aws
aws: build $(VENV)/.done ## run DynamoDB and SNS of two regions here, in the foreground
	@exec bin/hb-sim aws $(ARGS)

.PHONY: check
check: fmt ## the fast part of test: format, vet, unit tests (no emulator, no browser)
	go vet ./...
	$(GOTEST) -short ./relay/... ./broker/... ./cloud/local/... ./cmd/internal/... ./cmd/hbctl/...

.PHONY: test
test: tools fmt build cross lint ## everything: format, lint, unit, race, emulators, browser, processes, 20,000 seeds
	go vet ./...
	$(GOTEST) -timeout 25m -parallel 4 ./...
	$(GOTEST) -timeout 15m -race ./relay/... ./broker/... ./cloud/local/...
	bin/hb-sim torture --from 1 --seeds 20000 --known cmd/hb-sim/torture/testdata/known.seeds

.PHONY: fmt
fmt:
	@out=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$out" || { echo "gofmt these:"; echo "$$out"; exit 1; }

# The relay runs on small ARM boxes: it must build for them.
.PHONY: cross
cross:
	CGO_ENABLED=0 GOOS=linux GOARCH=arm64 go build -o $(CACHE)/hb-relay-arm64 ./cmd/hb-relay

.PHONY: lint
lint: $(LINT) ## golangci-lint, pinned in .ci/lint/go.mod
	$(LINT) run ./...

$(LINT): .ci/lint/go.mod .ci/lint/go.sum
	@echo "building the linter (minutes, once)"
	cd .ci/lint && go build -o $(LINT) github.com/golangci/golangci-lint/v2/cmd/golangci-lint

# A range of seeds that was never played before: ARGS="--from S" plays one again.
.PHONY: torture
torture: build ## break a simulated mesh 1,000,000 times, and judge what people were told
	@exec bin/hb-sim torture --seeds 1000000 --shrink $(ARGS)

.PHONY: mutants
mutants: ## break the decision code on purpose, and see that the simulation notices (ARGS="-auto 200 -page docs/explanation/mutants.md")
	@go run ./cmd/hb-sim/mutate $(ARGS)

# Real processes, killed, stopped, cut off and out of disk; a relay that is killed, and
# one whose power is cut, 1,000 times each; then the same of its journal alone. Some of
# it needs root, and FUSE.
.PHONY: chaos
chaos: tools build ## hurt real processes in every way, mix two releases, and cut a relay's power 1,000 times
	.ci/release
	HB_E2E_ROUNDS=1000 $(GOTEST) -v -timeout 180m ./cmd/e2e -run 'AStoreLost|ABrokerThat|HurtWays|FullDisk|PulledCable|Killed|PowerOfAWhole|Standby' -args -chaos
	$(GOTEST) -v -timeout 15m ./cmd/e2e -run TheReleaseBeforeAndThisOne -args -release $(CACHE)/release
	HB_POWER_CUTS=1000 $(GOTEST) -v -timeout 120m -run TestPowerIsCut ./relay/journal

.PHONY: bench
bench: build ## measure against bare mochi and mosquitto; prints the table
	.ci/mosquitto
	@exec bin/hb-sim bench $(ARGS)

.PHONY: fuzz
fuzz: ## fuzz each decoder for FUZZTIME (default 30s)
	.ci/fuzz $(FUZZTIME)

.PHONY: cover
cover: tools ## coverage of all packages, by function
	@mkdir -p $(CACHE)
	$(GOTEST) -timeout 25m -coverpkg=./relay/...,./broker/...,./cloud/... -coverprofile=$(CACHE)/cover.out ./...
	go tool cover -func=$(CACHE)/cover.out | tail -n 1

.PHONY: assets
assets: ## rebuild the dashboard's committed assets
	go generate ./broker/dashboard

# What tests need beyond Go: Debian's clients, browser and Java, and the emulators.
.PHONY: tools
tools: $(VENV)/.done
	.ci/install
	.ci/mosquitto
	.ci/dynamodb

$(VENV)/.done: deploy/aws-local/requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

.PHONY: clean
clean: ## remove what was built and installed here
	rm -rf bin $(CACHE) $(VENV) hb-relay-data
