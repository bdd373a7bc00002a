# Starling needs Go and nothing else. `make` lists what there is to do.

SHELL    := bash
.DEFAULT_GOAL := help

GO       ?= go
FUZZTIME ?= 30s
PKG      ?= ./...
ARGS     ?=

LINT := tools/bin/golangci-lint

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/starling, static
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/ ./cmd/...

.PHONY: generate
generate: ## Write the generated files anew
	$(GO) generate ./...

.PHONY: fmt
fmt: ## Format all Go files
	$(GO) fmt ./...

.PHONY: vet
vet: ## Run go vet
	$(GO) vet ./...

.PHONY: lint
lint: $(LINT) ## Run golangci-lint (built once, at the version of tools/go.mod)
	$(LINT) run ./...

.PHONY: test
test: ## Run all tests
	$(GO) test ./...

# Only the race detector needs a C compiler; the product never does.
.PHONY: race
race: ## Run all tests under the race detector (PKG=./fec/... for some)
	CGO_ENABLED=1 $(GO) test -race -timeout 20m $(ARGS) $(PKG)

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME=30s (PKG=./fec/... for some)
	@FUZZTIME=$(FUZZTIME) .ci/fuzz $(PKG)

.PHONY: chaos
chaos: ## Kill and stop servers in 200 seeded campaigns on each database
	$(GO) test ./internal/chaos -timeout 40m -v -chaos.runs=200

.PHONY: bench
bench: ## Run all benchmarks (PKG=./fec/... for some)
	$(GO) test -run '^$$' -bench . -benchmem $(PKG)

.PHONY: demo
demo: ## Update a simulated fleet (ARGS="--devices 200 --loss 0.3 --seed 7")
	$(GO) run ./cmd/starling demo $(ARGS)

.PHONY: clean
clean: ## Remove what was built, and the fuzz cache
	rm -rf bin tools/bin
	$(GO) clean -fuzzcache

$(LINT): tools/go.mod tools/go.sum
	$(GO) build -C tools -o bin/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
