"""`helm test`: the console answers."""

from tests.charts.chart import render


def test_it_asks_the_console_by_its_service() -> None:
    """The address is the Service's name and port."""
    script, address = render().find("Pod", "tinderbox-test-console")["spec"]["containers"][0]["args"]
    compile(script, "answers.py", "exec")
    service = render().find("Service", "tinderbox-console")
    assert address.startswith(f"http://{service['metadata']['name']}:{service['spec']['ports'][0]['port']}/")
