# `make quickstart`: from a fresh machine to a trained model, its figures and a search.
# `make open-data CMU=FOLDER HUMANML3D=FOLDER`: what `python train.py experiment=open` trains on.
# `make test`: from a fresh machine through lint and the whole test suite.
PYTHON ?= python3
BIN := .venv/bin
RUN := outputs/quickstart
ANNOTATIONS := datasets/annotations/synthetic/annotations.json
STATS := stats/synthetic/guoh3dfeats/statistics.safetensors
STARTED := $(RUN)/config.json
WEIGHTS := $(RUN)/last_weights/motion_encoder.pt
MOTIONS := size.motions=2250 size.variety=0
TRAINING := experiment=quickstart $(if $(EPOCHS),trainer.max_epochs=$(EPOCHS))

.PHONY: quickstart open-data test lint pytest format clean-quickstart
.DELETE_ON_ERROR:

quickstart: $(WEIGHTS)
	$(BIN)/python retrieval.py run_dir=$(RUN)
	@echo "To see motions move: $(BIN)/python app.py, then open http://localhost:7860"
	$(BIN)/python search.py run_dir=$(RUN) \
	    text="a person waves with the left hand" mirrored=true top=1

test: lint pytest

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

pytest: .venv/dev
	$(BIN)/python -m pytest -n auto --maxprocesses=4 --dist=loadgroup

format: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python docs/make_api.py

.venv/run: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(not (3, 10) <= v <= (3, 14) and \
	    "error: found Python %d.%d, expected 3.10 to 3.14; name another: make PYTHON=python3.12" % v)'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet -r requirements.txt -c constraints.txt
	touch $@

.venv/dev: requirements-dev.txt .venv/run
	$(BIN)/pip install --quiet -r requirements-dev.txt -c constraints.txt
	# The glTF validator and axe come from npm; their tests are left out where there is none.
	if command -v npm > /dev/null; then \
	    npm install --silent --prefix .venv gltf-validator@2.0.0-dev.3.10 axe-core@4.14.1; fi
	touch $@

$(ANNOTATIONS): | .venv/run
	$(BIN)/python -m prepare.synthesize $(MOTIONS)

$(STATS): $(ANNOTATIONS)
	$(BIN)/python -m prepare.compute_guoh3dfeats name=synthetic
	$(BIN)/python -m prepare.text_embeddings data=synthetic language_model=minilm
	$(BIN)/python -m prepare.motion_stats data=synthetic

# An interrupted training goes on where it stopped.
$(WEIGHTS): | $(STATS)
	if [ -f $(STARTED) ]; then $(BIN)/python train.py resume_dir=$(RUN); \
	else $(BIN)/python train.py $(TRAINING); fi
	$(BIN)/python extract.py run_dir=$(RUN)

# The takes of CMU and a clone of HumanML3D's repository, as datasets/README.md has them; 143_35 and
# others that are no whole files are left out, which ends that command with 1.
open-data: | .venv/run
	@test -d "$(CMU)" -a -d "$(HUMANML3D)" || { echo "error: found CMU=$(CMU) and \
	HUMANML3D=$(HUMANML3D), expected two folders: the takes of CMU and a clone of HumanML3D"; exit 1; }
	-$(BIN)/python -m prepare.import_motions source=$(CMU) name=cmu flat=true
	$(BIN)/python -m prepare.synthesize size.motions=5000 size.test=250 size.val=150
	for name in cmu synthetic; do \
	    $(BIN)/python -m prepare.compute_guoh3dfeats name=$$name || exit 1; done
	$(BIN)/python -m prepare.annotations data=cmu release=$(HUMANML3D) options.source=CMU overwrite=true
	$(BIN)/python -m prepare.combine name=open sets=[cmu,synthetic] repeats={cmu:3} overwrite=true
	$(BIN)/python -m prepare.text_embeddings data=open language_model=minilm
	$(BIN)/python -m prepare.motion_stats data=open

clean-quickstart:
	rm -rf $(RUN)
