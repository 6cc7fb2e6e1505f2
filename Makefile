# toy, from a fresh Debian 12: `make demo` runs it, `make check` tests it, `make help` lists the rest.

# Debian's cmake, ninja and compilers come before any other of the same name.
export PATH := /usr/bin:$(PATH)
JOBS := $(or $(JOBS),$(shell tools/jobs))
export JOBS
MODEL ?=
FUZZ_SECONDS ?= 60
PREFIX ?= /usr/local

.PHONY: demo check build everything model install configure deps format tidy lint asan tsan fuzz docs clean help
.DEFAULT_GOAL := help

demo:  ## Train on built-in stories for a minute and tell one; or describe, run and measure MODEL=path
	@tools/demo.sh $(MODEL)

check: everything  ## Install what is missing, build everything, run every checker and test
	@ctest --preset release -j $(JOBS)

build: configure  ## Build the program, build/toy, and the libraries
	@cmake --build build -j $(JOBS)

everything: configure  ## Build the tests, benches, examples and tools too
	@cmake --build build -j $(JOBS) --target everything

# What a target needs installed: for the program alone, for everything, or clang 14 and its tools too.
demo build install model docs example_%: DEPS = --program
format tidy tsan fuzz: DEPS = --lint
deps:
	@tools/install-deps $(DEPS)

configure: deps
	@cmake --preset release

model: configure  ## Train models/stories.gguf again, the model that the program carries (at most 5 minutes)
	@cmake --build build -j $(JOBS) --target story-model
	@mkdir -p data && build/tools/story-model data/stories.gguf --expect models/stories.gguf

example_%: configure  ## Run a numbered example, e.g. make example_01 MODEL=path
	@cmake --build build -j $(JOBS) --target $@
	@tools/example.sh $* $(MODEL)

install: build  ## Install the program and the libraries: PREFIX=/usr/local
	@cmake --install build --prefix "$(PREFIX)"

lint:  ## Check floors, ops, order of calls, budgets, words and format
	@tools/lint/all

format: deps  ## Format the sources (clang-format-14)
	@tools/lint/sources | xargs clang-format-14 -i

tidy: configure  ## Run clang-tidy-14 on the sources; FILES=... narrows it
	@tools/lint/tidy $(FILES)

asan tsan: deps  ## Build and test with the sanitizers of addresses or threads
	@cmake --preset $@
	@cmake --build build-$@ -j $(JOBS) --target everything
	@ctest --preset $@ -j $(JOBS)

fuzz: deps  ## Fuzz each parser for FUZZ_SECONDS=60
	@cmake --preset fuzz
	@cmake --build build-fuzz -j $(JOBS) --target fuzz
	@tools/fuzz.sh $(FUZZ_SECONDS)

docs: build  ## Write docs/cli.md from the program's own registry
	@build/toy --markdown > docs/cli.md

clean:  ## Remove the build folders
	rm -rf build build-asan build-tsan build-fuzz

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z_% ]+:.*## / { sub("%", "NN", $$1); printf "  make %-12s %s\n", $$1, $$2 }' Makefile
