"""The two ways to play: in a browser, or told in the terminal."""

from __future__ import annotations

import logging
import signal
import threading
import time

import requests
from rich.console import Console
from werkzeug.serving import make_server

from connector.demo.actors import Surprise
from connector.demo.example_app import create_example_app
from connector.demo.stage import Stage, StageFailed, set_up
from connector.demo.story import Story
from connector.demo.walkthrough import STEPS, Step

QUIET_POLL_S = 0.2


def run_walkthrough(console: Console) -> bool:
    """Play the whole story and tell it; whether every step held."""
    began = time.monotonic()
    console.print("[bold]The story of one connection[/], between real processes on this machine\n")
    try:
        with set_up(lambda words: console.print(f"[dim]  {words} …[/]")) as stage:
            console.print()
            held = _play(stage, console)
    except StageFailed as error:
        console.print(f"[bold red]✗[/] {error}", markup=True, highlight=False)
        return False
    seconds = time.monotonic() - began
    if held:
        console.print(f"\n[bold green]Every step held.[/] {len(STEPS)} steps, {seconds:.0f} s. Nothing is left behind.")
    return held


def _play(stage: Stage, console: Console) -> bool:
    story = Story.on(stage)
    return all(_played(number, step, story, console) for number, step in enumerate(STEPS, start=1))


def _played(number: int, step: Step, story: Story, console: Console) -> bool:
    began = time.monotonic()
    try:
        words = step.act(story)
    except (Surprise, LookupError, requests.RequestException, ValueError) as error:
        console.print(f"[bold red]✗ {number:2} {step.title}[/]")
        console.print(f"     {type(error).__name__}: {error}", markup=False, highlight=False, soft_wrap=True)
        return False
    console.print(f"[bold green]✓[/] [bold]{number:2} {step.title}[/] [dim]{time.monotonic() - began:.1f} s[/]")
    for line in words:
        console.print(f"     {line}", markup=False, highlight=False, soft_wrap=True)
    return True


def run_demo(console: Console) -> bool:
    """Everything, with the example app in front, until Ctrl-C; whether it came up."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with set_up(lambda words: console.print(f"[dim]  {words} …[/]")) as stage:
            _serve(stage, console, stop)
    except StageFailed as error:
        console.print(f"[bold red]✗[/] {error}", highlight=False)
        return False
    console.print("Ended. Nothing is left behind.")
    return True


def _serve(stage: Stage, console: Console, stop: threading.Event) -> None:
    host, _, port = stage.app.removeprefix("http://").rpartition(":")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # the example app's requests are nobody's news
    server = make_server(host, int(port), create_example_app(stage), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    console.print(f"\nOpen [bold]{stage.app}[/] in a browser. Ctrl-C ends it, and removes everything.", soft_wrap=True)
    while not stop.wait(QUIET_POLL_S):
        pass
    server.shutdown()
    thread.join()
