# ruff: noqa: T201 - what it prints is what the test has to say
"""Asks the API server what this pod's service account may do: NAMESPACE RULES-ALLOWED REQUESTS-DENIED, as JSON."""

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

Request = dict[str, str]


def requests_of(rules: list[dict[str, Any]]) -> Iterator[Request]:
    """Every request that the rules of a Role allow."""
    for rule in rules:
        for resource in rule["resources"]:
            for verb in rule["verbs"]:
                yield {"group": rule["apiGroups"][0], "resource": resource, "verb": verb}


def surprises(allowed: list[Request], denied: list[Request], may: Callable[[Request], bool]) -> list[str]:
    """One sentence for each request that is answered otherwise than it must be."""
    missing = [f"may not {describe(request)}, and must" for request in allowed if not may(request)]
    return missing + [f"may {describe(request)}, and must not" for request in denied if may(request)]


def describe(request: Request) -> str:
    """A request in words."""
    what = "/".join(filter(None, [request["resource"], request.get("subresource")]))
    return f"{request['verb']} {what}" + (f" in {request['namespace']}" if "namespace" in request else "")


def asker(namespace: str) -> Callable[[Request], bool]:
    """A function that says whether a request, in this namespace unless it names another, would be allowed."""
    from kubernetes import client, config

    config.load_incluster_config()
    api = client.AuthorizationV1Api()

    def may(request: Request) -> bool:
        review = {"spec": {"resourceAttributes": {"namespace": namespace, **request}}}
        return bool(api.create_self_subject_access_review(review).status.allowed)

    return may


def main(namespace: str, rules: str, denied: str) -> int:
    """Print what is wrong, if anything."""
    allowed, refused = list(requests_of(json.loads(rules))), json.loads(denied)
    found = surprises(allowed, refused, asker(namespace))
    print(*(found or [f"{len(allowed)} requests are allowed and {len(refused)} denied, as they must be"]), sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
