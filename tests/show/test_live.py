"""The live page: on this machine alone, with the newest numbers."""

import http.client
import json

import pytest

from covey.errors import UserError
from covey.show.report import LiveReport
from show.report_runs import write_run


@pytest.fixture
def served(tmp_path):
    path = write_run(tmp_path / "run")
    server = LiveReport([path])
    server.start()
    yield path, server
    server.shutdown()
    server.server_close()


def ask(server: LiveReport, place: str, host: str = "127.0.0.1") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
    connection.request("GET", place, headers={"Host": host})
    answer = connection.getresponse()
    content = answer.read().decode()
    connection.close()
    return answer.status, content


def test_the_page_follows_the_run(served):
    # Would break: a page that never changes, one that asks others than its own server.
    path, server = served
    status, page = ask(server, "/")
    assert (status == 200 and "connect-src &#x27;self&#x27;" in page) or "connect-src 'self'" in page
    _, before = ask(server, "/stamp")
    assert ask(server, "/stamp")[1] == before
    rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    with open(path / "metrics.jsonl", "a") as file:
        file.writelines(json.dumps(row | {"report": 99, "step": 424_242}) + "\n" for row in rows[-5:])
    assert ask(server, "/stamp")[1] != before
    assert "424,242" in ask(server, "/")[1]


def test_nobody_else_is_answered(served):
    # Would break: an address that other machines reach; a foreign name for this one; files of the folder.
    _, server = served
    assert server.server_address[0] == "127.0.0.1"
    assert ask(server, "/", host="evil.example")[0] == 403
    assert ask(server, "/../config.yaml")[0] == 404 == ask(server, "/run.json")[0]


def test_a_taken_port_is_a_sentence(served):
    # Would break: a traceback where another program has the port.
    with pytest.raises(UserError, match="--port"):
        LiveReport([served[0]], served[1].server_port)
