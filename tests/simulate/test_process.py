"""The simulated Sinch as a process of its own."""

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

MODULE = [sys.executable, "-m", "sinchflow.simulate.provider"]


def test_process_prints_its_url_first_and_serves_until_told_to_stop() -> None:
    command = [*MODULE, "--api-key", "k", "--api-secret", "s", "--outcome", "55=rejected:302", "--keep", "10"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            body = json.dumps({"messages": [{"content": "Hi", "destination_number": "+61491570156"}]}).encode()
            headers = {"Authorization": "Basic azpz", "Content-Type": "application/json"}
            request = urllib.request.Request(f"{url}/v1/messages", body, headers)
            with urllib.request.urlopen(request, timeout=10) as answer:
                assert answer.status == 202
            with urllib.request.urlopen(f"{url}/_sim/stats", timeout=10) as answer:
                assert json.load(answer)["messages"] == 1
        finally:
            process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=10)
        assert (rest, errors) == ("", "")


def test_process_is_the_account_that_its_options_describe() -> None:
    options = ["--auth", "any", "--number", "+6421555000", "--feature", "signature_keys=off", "--report-lag", "60"]
    more = ["--opt-out-page", "1", "--retry-scale", "0.01"]
    with subprocess.Popen([*MODULE, *options, *more], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()

            def call(path: str, data: object = None) -> tuple[int, dict[str, object]]:
                body = None if data is None else json.dumps(data).encode()
                headers = {"Authorization": "Basic azpz", "Content-Type": "application/json"}
                try:
                    with urllib.request.urlopen(
                        urllib.request.Request(url + path, body, headers), timeout=10
                    ) as answer:
                        return answer.status, json.load(answer)
                except urllib.error.HTTPError as error:
                    with error:
                        return error.code, json.load(error)

            blacklist = "/v1/number_authorisation/mt/blacklist"
            call(blacklist, {"numbers": ["+61491570156", "+61491570157"]})
            assert call(blacklist)[1]["numbers"] == ["61491570156"]
            assert call("/v1/iam/signature_keys/enabled")[0] == 403
            assert "6421555000" in str(call("/v1/messaging/numbers/sender_address/addresses")[1])
            call("/v1/messages", {"messages": [{"content": "Hi", "destination_number": "+61491570156"}]})
            window = {"start_date": "2020-01-01T00:00:00Z", "end_date": "2120-01-01T00:00:00Z"}
            assert call("/v2-preview/reporting/messages/detail", window)[1]["messages"] == []
        finally:
            process.send_signal(signal.SIGTERM)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--help"], 0, "numbers ending in 0009"),
        (["--api-key", "k"], 2, "belong together"),
        (["--outcome", "0009"], 2, "SUFFIX=STATUS"),
        (["--statuses", "sent"], 2, "enroute, submitted and final"),
        (["--feature", "reporting"], 2, "a feature is NAME=on or NAME=off"),
        (["--auth", "oauth"], 2, "invalid choice"),
        (["--host", "192.0.2.1"], 3, "cannot listen on 192.0.2.1:0"),
    ],
)
def test_command_line_explains_itself(
    arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from sinchflow.simulate.serve import main

    with pytest.raises(SystemExit) as ended:
        main(arguments)
    said = capsys.readouterr()
    assert ended.value.code == code
    assert words in " ".join((said.out + said.err).split())
