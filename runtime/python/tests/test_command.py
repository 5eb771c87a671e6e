"""The command `bamba`, as a process."""

from __future__ import annotations

import io
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import openai
import pytest
from native import BUILD, Checkpoint, served

from bamba.cli.main import main

COMMANDS = ("serve", "generate", "chat", "bench", "compile")


@dataclass(frozen=True)
class Done:
    stdout: str
    stderr: str


Bamba = Callable[..., Done]


@pytest.fixture
def bamba(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bamba:
    """Runs a command in this process, for starting Python takes longer than most commands."""

    def run(*arguments: str | Path, given: str = "", code: int = 0) -> Done:
        monkeypatch.setattr(sys, "stdin", io.StringIO(given))
        capsys.readouterr()
        try:
            found = main([*map(str, arguments)])
        except SystemExit as end:
            found = int(end.code or 0)
        done = Done(*capsys.readouterr())
        assert found == code, done
        return done

    return run


@pytest.fixture
def model(checkpoint: Checkpoint) -> list[str | Path]:
    return [checkpoint.folder, f"--library={checkpoint.library}", "--device=cpu"]


def test_help_is_for_people(bamba: Bamba) -> None:
    command = [sys.executable, "-m", "bamba.cli.main", "--help"]
    overview = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert all(name in overview for name in COMMANDS)
    for name in COMMANDS:
        text = bamba(name, "--help").stdout
        assert max(map(len, text.splitlines())) < 100
        options = [line for line in text.splitlines() if line.startswith("  --")]
        assert len(options) > 5


def test_generate(bamba: Bamba, model: list[str | Path]) -> None:
    plain = bamba("generate", *model, "-p", "Once", "-n", "8", "--ignore-eos").stdout
    found = json.loads(bamba("generate", *model, "-p", "Once", "-n", "8", "--ignore-eos", "--json").stdout)
    assert plain == "Once" + found["text"] + "\n"
    assert len(found["tokens"]) == 8
    assert bamba("generate", *model, "-n", "8", "--ignore-eos", given="Once").stdout == plain


def test_generate_draws(bamba: Bamba, model: list[str | Path]) -> None:
    asked = ["generate", *model, "-p", "Once", "-n", "8", "--ignore-eos"]
    drawn = [bamba(*asked, "--temperature=1", f"--seed={seed}").stdout for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert bamba(*asked, "--repetition-penalty=0.1").stdout != bamba(*asked).stdout


def test_generate_follows_a_form(bamba: Bamba, model: list[str | Path], tmp_path: Path) -> None:
    asked = ["generate", *model, "-p", "Once", "--json"]
    found = json.loads(bamba(*asked, "--regex=[0-9]{4}").stdout)
    assert re.fullmatch("[0-9]{4}", found["text"])
    schema = tmp_path / "schema.json"
    schema.write_text('{"enum": ["yes", "no"]}')
    assert json.loads(json.loads(bamba(*asked, f"--json-schema={schema}").stdout)["text"]) in ("yes", "no")
    schema.write_text("[")
    assert "expected JSON" in bamba(*asked, f"--json-schema={schema}", code=1).stderr


def test_chat(bamba: Bamba, model: list[str | Path]) -> None:
    out = bamba("chat", *model, "-n", "4", "--system", "Be brief.", given="Hello\n/new\nHello\n/quit\n").stdout
    first, second, *_ = out.split("\n")
    assert first == second != ""


def test_bench(bamba: Bamba, model: list[str | Path]) -> None:
    options = ["--requests=8", "--concurrency=4", "--input-tokens=16", "--output-tokens=8", "--json"]
    found = json.loads(bamba("bench", *model, *options).stdout)
    assert found["output_tokens_per_second"] > 0
    assert found["first_token_seconds_p50"] <= found["request_seconds_p50"]


def test_compile(bamba: Bamba, checkpoint: Checkpoint, tmp_path: Path) -> None:
    options = [f"--bambac={BUILD}/bin/bambac", f"--cache-dir={checkpoint.cache}", "--target=cpu"]
    options += ["--max-batch=16", "--max-context=512"]
    assert bamba("compile", checkpoint.folder, *options).stdout.strip() == str(checkpoint.library)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    failed = bamba("compile", tmp_path, f"--bambac={BUILD}/bin/bambac", "-o", tmp_path / "x.so", code=1)
    assert "model_type" in failed.stderr
    assert not (tmp_path / "x.so").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["generate", "/absent"], "expected a checkpoint folder"),
        (["serve", "/absent", "--port=0"], "expected a checkpoint folder"),
        (["serve", "/absent", "--port=0", "--host=no.such.host.example"], "expected a free address"),
        (["serve", "/absent", "--api-key-file=/absent"], "expected a file with a key a line"),
        (["generate", "/absent", "--temperature=9"], "temperature: expected at least 0.0 and at most 2.0, found 9.0"),
    ],
)
def test_mistakes_are_one_line(bamba: Bamba, arguments: list[str], message: str) -> None:
    failed = bamba(*arguments, code=1)
    assert failed.stderr.startswith("bamba: ")
    assert message in failed.stderr
    assert failed.stderr.count("\n") == 1
    assert bamba("serve", code=2).stderr.startswith("usage: ")


def test_a_port_that_is_taken(bamba: Bamba, checkpoint: Checkpoint) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        failed = bamba("serve", checkpoint.folder, f"--port={other.getsockname()[1]}", code=1)
    assert "the port is taken" in failed.stderr


def test_a_server_serves_and_ends(checkpoint: Checkpoint) -> None:
    """SIGTERM within a stream: the answer goes on to its end, new clients are refused, the exit code is 0."""
    with served(checkpoint, "--api-key=secret") as (url, process):
        assert httpx.get(f"{url}/health").json() == {"status": "ok"}
        with openai.OpenAI(base_url=f"{url}/v1", api_key="secret", max_retries=0) as client:
            whole = client.completions.create(
                model="tiny", prompt="Once", max_tokens=400, temperature=0, extra_body={"ignore_eos": True}
            )
            stream = client.completions.create(
                model="tiny", prompt="Once", max_tokens=400, stream=True, temperature=0, extra_body={"ignore_eos": True}
            )
            parts = [next(stream).choices[0].text]
            process.send_signal(signal.SIGTERM)
            parts += [chunk.choices[0].text for chunk in stream]
        assert "".join(parts) == whole.choices[0].text
        assert process.wait(30) == 0
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{url}/health")


def test_metrics_of_a_model(checkpoint: Checkpoint) -> None:
    with served(checkpoint) as (url, _):
        httpx.post(f"{url}/v1/completions", json={"model": "tiny", "prompt": "x", "max_tokens": 5}).raise_for_status()
        httpx.get(f"{url}/nothing")
        text = httpx.get(f"{url}/metrics").text
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(values["bamba_finished_total"]) == 1
    assert float(values["bamba_running"]) == 0
    assert float(values["bamba_time_to_first_token_seconds_count"]) == 1
    assert float(values['bamba_http_requests_total{route="/v1/completions",status="200"}']) == 1
    assert float(values['bamba_http_requests_total{route="other",status="404"}']) == 1
