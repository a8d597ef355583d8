# sbnn: from a sparse binary network to a bitstream. `make` lists the targets.
# Every rule turns one file into the next; build/<model>/<board>/ keeps models and boards apart.

MODEL ?= sbnn95
BOARD ?= ulx3s
BACKEND ?= auto
IMAGES ?= 1000
PYTHON ?= python3
VENV ?= .venv

MODELS := $(sort $(patsubst train/models/%/config.toml,%,$(wildcard train/models/*/config.toml)))
BOARDS := $(sort $(patsubst boards/%/board.toml,%,$(wildcard boards/*/board.toml)))
NEEDS_BOARD := check hls sim prove synth bitstream vivado-project deploy notebooks page
NEEDS_MODEL := train export $(NEEDS_BOARD)

# MODEL=path/to/file.onnx is a network from elsewhere: its stem names the build folder.
ifneq ($(filter %.onnx,$(MODEL)),)
FOREIGN := $(MODEL)
override MODEL := $(basename $(notdir $(FOREIGN)))
ifneq ($(filter $(MODEL),$(MODELS)),)
$(error MODEL=$(FOREIGN): $(MODEL) is a model of train/models; give the file another name)
endif
ifeq ($(shell echo '$(MODEL)' | grep -xE '[A-Za-z][A-Za-z0-9_-]*'),)
$(error MODEL=$(FOREIGN): a file name needs letters, digits, _ and - before .onnx, a letter first)
endif
ifeq ($(wildcard $(FOREIGN)),)
$(error MODEL=$(FOREIGN): no such file)
endif
ifneq ($(filter train export,$(MAKECMDGOALS)),)
$(error MODEL=$(FOREIGN): is exported already; make hls, synth or bitstream go on from it)
endif
else
ifneq ($(filter $(NEEDS_MODEL),$(MAKECMDGOALS)),)
ifeq ($(filter $(MODEL),$(MODELS)),)
$(error MODEL=$(MODEL): no train/models/$(MODEL)/config.toml; there are: $(MODELS))
endif
endif
ifneq ($(filter-out train,$(filter $(NEEDS_MODEL),$(MAKECMDGOALS))),)
ifeq ($(wildcard train/models/$(MODEL)/trained.npz),)
$(error MODEL=$(MODEL): no train/models/$(MODEL)/trained.npz; make train MODEL=$(MODEL) writes it)
endif
endif
endif
ifneq ($(filter $(NEEDS_BOARD),$(MAKECMDGOALS)),)
ifeq ($(filter $(BOARD),$(BOARDS)),)
$(error BOARD=$(BOARD): no boards/$(BOARD)/board.toml; there are: $(BOARDS))
endif
endif

M := build/$(MODEL)
B := $(M)/$(BOARD)
PY := $(VENV)/bin/python
READY := $(VENV)/ready
EXPORT_SOURCES := $(wildcard export/*.py train/config.py train/model.py train/quantizers.py \
  train/recipe.py train/trained.py)
LOWER_SOURCES := $(wildcard hls/lower.py hls/finn_*.py hls/maps.py hls/layer.py hls/network.py \
  hls/reference.py hls/thresholds.py)
CORE_SOURCES := $(wildcard hls/*.py hls/rtl/*.sv) boards/$(BOARD)/board.toml

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: always help setup $(NEEDS_MODEL) test regress lint bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  MODEL: $(MODELS), or a path/to/file.onnx (DIVIDE=255 where it takes pixel / 255)"
	@echo "  BOARD: $(BOARDS)"

setup: $(READY) ## make the environment in .venv from requirements.lock (about 2 minutes)

$(READY): requirements.lock pyproject.toml .ci/setup.sh
	@bash .ci/setup.sh $(PYTHON) $(VENV)

train: $(READY) ## train MODEL from data again (SEEDS=0,1,2 QUICK=1 DATA=folder RESUME=1)
	$(PY) -m sbnn.train $(MODEL) $(if $(QUICK),--quick) $(if $(SEEDS),--seeds $(SEEDS)) \
	  $(if $(DATA),--data $(DATA)) $(if $(RESUME),--resume)

export: $(M)/model.onnx ## write MODEL as QONNX, checked against torch

$(M)/model.onnx: train/models/$(MODEL)/trained.npz train/models/$(MODEL)/config.toml $(EXPORT_SOURCES) | $(READY)
	$(PY) -m sbnn.export $(MODEL) --out $@
	@touch $@

ifdef FOREIGN
# Files of the same name in two folders share a build folder: which one it was, and what its pixels are.
$(M)/origin: always
	@mkdir -p $(@D); echo '$(FOREIGN) $(DIVIDE)' | cmp -s - $@ || echo '$(FOREIGN) $(DIVIDE)' >$@
endif

ONNX := $(or $(FOREIGN),$(M)/model.onnx)
READS := $(ONNX) $(if $(DIVIDE),--divide $(DIVIDE))

$(M)/network.npz: $(ONNX) $(if $(FOREIGN),$(M)/origin) $(LOWER_SOURCES) | $(READY)
	$(PY) -m sbnn.hls lower $(READS) --name $(MODEL) --out $(M)
	@touch $@

check: $(ONNX) | $(READY) ## say what MODEL or any file.onnx would become on BOARD (DIVIDE=255: it takes pixel / 255)
	@$(PY) -m sbnn.hls check $(READS) --family $$($(PY) -m sbnn.boards show $(BOARD) family) \
	  --levels $$($(PY) -m sbnn.boards show $(BOARD) levels_per_stage)

hls: $(B)/manifest.json ## lower MODEL to the integer network and generate its RTL for BOARD

# The stamp says that the generator ran; the manifest changes only when some RTL byte does, so that a
# comment in the generator does not start a new place and route.
$(B)/generated: $(M)/network.npz $(CORE_SOURCES) | $(READY)
	$(PY) -m sbnn.hls generate $< --out $(B) --board $(BOARD) $(if $(NO_SCORES),--no-scores) \
	  --family $$($(PY) -m sbnn.boards show $(BOARD) family) \
	  $(if $(CLOCK_MHZ),--clock-mhz $(CLOCK_MHZ),\
	  --levels $$($(PY) -m sbnn.boards show $(BOARD) levels_per_stage))
	@touch $@

$(B)/manifest.json: $(B)/generated
	@:

sim: $(B)/manifest.json ## simulate the core of MODEL on IMAGES real images, compared with ==
	$(PY) -m pytest -q rtl_tests/test_design.py -k build_folder --build $(B) --images $(IMAGES)

prove: $(B)/manifest.json ## prove every neuron and score of MODEL's RTL for all inputs, with BDDs
	$(PY) -m sbnn.hls prove $(B)

synth: $(B)/report/synth.json ## count LUTs, flip-flops and memories per layer with yosys
	@cat $(B)/report/synth.txt

$(B)/report/synth.json: $(B)/manifest.json hls/synth.py hls/estimate.py hls/weights.json | $(READY)
	$(PY) -m sbnn.hls synth $(B) --family $$($(PY) -m sbnn.boards show $(BOARD) family) >/dev/null
	@touch $@

bitstream: $(B)/manifest.json ## the whole line to a bitstream for BOARD (BACKEND=auto, vivado, openxc7 or yosys)
	$(PY) -m sbnn.boards bitstream --board $(BOARD) --build $(B) --backend $(BACKEND)

vivado-project: $(B)/manifest.json ## write the folder that a machine with Vivado builds by one command
	$(PY) -m sbnn.boards vivado-project --board $(BOARD) --build $(B)

deploy: $(B)/manifest.json ## write the overlay package of a bitstream made here, or by Vivado elsewhere
	$(PY) -m sbnn.boards deploy --board $(BOARD) --build $(B)

notebooks: $(B)/manifest.json ## run the deployed notebooks without a browser (TRANSPORT=reference, SIMULATED=1)
	$(PY) -m sbnn.boards.run_notebooks $(B) $(if $(TRANSPORT),--transport $(TRANSPORT)) \
	  $(if $(SIMULATED),--simulated)

page: $(B)/manifest.json ## write the page of a build, report/index.html, and the list of all builds
	$(PY) -m sbnn.boards page --build $(B)
	$(PY) -m sbnn.boards index --builds build

test: $(READY) ## the fast tests (under 10 minutes on 2 cores, no vendor tool, GPU or network)
	$(PY) -m pytest -n 2 --dist worksteal

regress: $(READY) ## every test: all 10,000 test images, proofs, netlists, mutants (hours)
	$(PY) -m pytest rtl_tests -n 2 --dist worksteal -m '' --summary build/regress.json

lint: $(READY) ## ruff, mypy and Verilator's lint
	@bash .ci/lint.sh $(VENV)

bench: $(READY) ## measure the READMEs' figures again where anything changed and draw them (AGAIN=1: all, hours; JOBS=2)
	$(PY) -m sbnn.train bench $(if $(AGAIN),--again)
	$(PY) -m sbnn.boards bench $(if $(AGAIN),--again) $(if $(JOBS),--jobs $(JOBS))

clean: ## remove build/
	rm -rf build
