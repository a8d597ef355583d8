"""Search for the best accuracy per LUT: python -m sbnn.boards sweep NAME [--trials N] [--storage FILE].

A study is boards/sweeps/<name>.toml: a tracked model, trained in its quick mode, the entries of its config
that vary, and a board. Optuna proposes; every trial trains one config, lowers it and reports its validation
accuracy (highest) and the LUTs of its core on that board (lowest; `sbnn.hls.estimate`). All trials stand in
one journal file: machines that share a folder work on one study, each running this command with the same
--storage.
"""

import dataclasses
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from sbnn.boards.board import Board, BoardError, load_board
from sbnn.boards.sweep_figure import SWEEPS, SweepError, write_study
from sbnn.boards.trained import choices_of, network_of
from sbnn.hls.design import make_design, make_manifest
from sbnn.hls.estimate import estimate_layers
from sbnn.hls.synth import FAMILIES
from sbnn.train.config import ModelConfig, load_config
from sbnn.train.data import Split, load
from sbnn.train.fit import fit
from sbnn.train.metrics import accuracy
from sbnn.train.process import Process, join, leave
from sbnn.train.rules import check

BUILD = Path("build")


@dataclass(frozen=True)
class Search:
    """One entry of a config that varies.

    Attributes:
        entry: its path, as "hidden.0" or "sparsity.fan_in.1".
        choices: the values to choose from; else `low` to `high`, both included.
        low: smallest value, an int or a float.
        high: largest value.
        log: propose evenly over the logarithm.
    """

    entry: str
    choices: tuple[Any, ...] = ()
    low: float = 0
    high: float = 0
    log: bool = False

    def propose(self, trial: optuna.Trial) -> Any:
        """Return the value of this entry in `trial`."""
        if self.choices:
            return trial.suggest_categorical(self.entry, list(self.choices))
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(self.entry, self.low, self.high, log=self.log)
        return trial.suggest_float(self.entry, self.low, self.high, log=self.log)


@dataclass(frozen=True)
class Sweep:
    """A study.

    Attributes:
        name: of its file under boards/sweeps.
        summary: one line.
        base: the model whose quick recipe is trained.
        board: whose LUTs are counted.
        search: what varies.
        start: trials to begin with, each a value per entry of `search`.
    """

    name: str
    summary: str
    base: str
    board: str
    search: tuple[Search, ...]
    start: tuple[dict[str, Any], ...] = ()

    def config(self, values: dict[str, Any]) -> ModelConfig:
        """Return the base's quick config with `values` in it.

        Raises:
            SweepError: an entry does not exist, or the config breaks a rule.
        """
        config = load_config(self.base, quick=True)
        for entry, value in values.items():
            try:
                config = _replaced(config, entry.split("."), value)
            except (AttributeError, IndexError, TypeError, ValueError) as error:
                raise SweepError(
                    f"boards/sweeps/{self.name}.toml: model {self.base} has no entry {entry!r}"
                ) from error
        check(f"boards/sweeps/{self.name}.toml", config)
        return config


def sweep_names() -> list[str]:
    """Return the names of all studies, sorted."""
    return sorted(path.stem for path in SWEEPS.glob("*.toml"))


def load_sweep(name: str) -> Sweep:
    """Read boards/sweeps/<name>.toml.

    Raises:
        SweepError: no such study, or a bad entry.
    """
    if name not in sweep_names():
        raise SweepError(f"which sweep? there are: {' '.join(sweep_names())}")
    path = SWEEPS / f"{name}.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        search = tuple(
            Search(**{**entry, "choices": tuple(entry.get("choices", ()))})
            for entry in table.pop("search")
        )
        sweep = Sweep(name, search=search, start=tuple(table.pop("start", ())), **table)
        load_board(sweep.board)
    except (tomllib.TOMLDecodeError, KeyError, TypeError, BoardError) as error:
        raise SweepError(f"boards/sweeps/{name}.toml: {error}") from error
    wanted = {entry.entry for entry in search}
    for values in sweep.start:
        if set(values) != wanted:
            raise SweepError(
                f"boards/sweeps/{name}.toml: a start has {' '.join(sorted(values))}, "
                f"needs {' '.join(sorted(wanted))}"
            )
        sweep.config(values)
    for entry in search:
        sweep.config({entry.entry: entry.choices[0] if entry.choices else entry.low})
    return sweep


def run_sweep(name: str, trials: int, storage: Path | None, data: Path | None) -> str:
    """Run `trials` trials of a study, write its summary and the figure; return one line about it.

    Args:
        name: of the study.
        trials: how many this process runs; 0 only summarises.
        storage: the journal file, on a folder that all machines see; in build/sweeps unless given.
        data: folder of the data set.
    """
    sweep = load_sweep(name)
    journal = storage or BUILD / "sweeps" / f"{name}.journal"
    journal.parent.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(journal))),
        study_name=name,
        sampler=optuna.samplers.TPESampler(n_startup_trials=len(sweep.start)),
        directions=["maximize", "minimize"],
        load_if_exists=True,
    )
    for values in sweep.start:
        study.enqueue_trial(values, skip_if_exists=True)
    if trials:
        process = join()
        split = load(load_config(sweep.base), data)
        study.optimize(_objective(sweep, split, process), n_trials=trials)
        leave(process)
    return write_study(sweep.name, sweep.summary, sweep.board, list(_finished(study)), SWEEPS)


def _objective(sweep: Sweep, split: Split, process: Process) -> Any:
    board = load_board(sweep.board)

    def objective(trial: optuna.Trial) -> tuple[float, int]:
        config = sweep.config({search.entry: search.propose(trial) for search in sweep.search})
        config = dataclasses.replace(config, name=f"{sweep.name}-{trial.number}")
        with tempfile.TemporaryDirectory() as folder:
            result = fit(config, split, Path(folder), process=process, shared=BUILD / "lessons")
        trial.set_user_attr("seconds", round(result.seconds, 1))
        trial.set_user_attr("epochs", config.training.epochs)
        found = accuracy(result.module, split.val_x, split.val_y)
        return found, core_luts(result.module, config, board)

    return objective


def core_luts(module: Any, config: ModelConfig, board: Board) -> int:
    """Return the LUTs of a finalised module's core on a board: estimated, in its family's unit.

    Args:
        module: a `SparseBinaryNet`.
        config: its config.
        board: its family and levels choose the logic.
    """
    design = make_design(network_of(module, config), choices_of(board))
    manifest = make_manifest(design, board.name, {})
    return sum(estimate_layers(manifest, board.family, FAMILIES[board.family].unit).values())


def _finished(study: optuna.Study) -> Iterator[dict[str, Any]]:
    """Yield the finished trials as plain data: values of the entries, validation, LUTs, seconds."""
    front = {trial.number for trial in study.best_trials}
    for trial in study.get_trials(states=[optuna.trial.TrialState.COMPLETE]):
        validation, luts = trial.values
        yield {
            "trial": trial.number,
            "values": dict(trial.params),
            "validation": round(validation, 6),
            "luts": int(luts),
            "front": trial.number in front,
            **trial.user_attrs,
        }


def _replaced(part: Any, path: list[str], value: Any) -> Any:
    """Return `part`, dataclasses and tuples in one another, with the entry at `path` replaced."""
    if not path:
        return value
    head, rest = path[0], path[1:]
    if isinstance(part, tuple):
        index = int(head)
        return (*part[:index], _replaced(part[index], rest, value), *part[index + 1 :])
    return dataclasses.replace(part, **{head: _replaced(getattr(part, head), rest, value)})
