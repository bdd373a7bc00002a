"""Prepares a run of Schemathesis: makes sample objects and writes its configuration.

Without samples a fuzzer spends its time on 404: it does not guess ids, and a campaign needs
seven other objects. Half of the requests for an object then name one that exists.
Which operations are streams, take tables or have ids is read from the document, so
that a new operation needs no line here.

Usage: schemathesis.py URL DOCUMENT SKIP FOLDER   writes FOLDER/main.toml, FOLDER/streams.toml
       schemathesis.py --check URL                fails if the token or the server died in the run
"""

import json
import os
import re
import secrets
import sys
import urllib.error
import urllib.request

PREFIX = "/api/v1/"
METHODS = ("get", "put", "post", "patch", "delete")

# Operations that would end the run: logging out takes the token away that all others need.
SUICIDE = [("delete", PREFIX + "session")]
# Operations that end the run when they meet the token or the user who runs it. They have a run of
# their own, which knows neither.
DANGEROUS = [("delete", PREFIX + "tokens/{id}"), ("delete", PREFIX + "users/{id}"), ("patch", PREFIX + "users/{id}")]
# Whose ids are not handed to the fuzzer: among them is the one who runs it.
OURSELVES = {"users", "tokens", "subscribers"}

# In the order in which they need one another; {plural} is the id of the sample before, {n} are 8 random digits.
SAMPLES = [
    ("device-profiles", {"name": "sample {n}", "producer_id": "{n}", "module_id": "0001", "hw_version": 1, "hw_revision": 0,
                         "packages": {"clock_sync": 1, "fragmentation": 1, "mc_setup": 1, "firmware_mgmt": 1}}),
    ("devices", {"dev_eui": "0004a30b{n}", "name": "sample {n}", "profile_id": "{device-profiles}", "firmware": "1.0.0.0", "band": "EU868",
                 "classes": "C", "lorawan_version": "1.0", "root_key": "2b7e151628aed2a6abf7158809cf4f3c"}),
    ("multicast-groups", {"dev_eui": "0004a30c{n}", "name": "sample {n}", "mc_addr": "{n}", "mc_key": "2b7e151628aed2a6abf7158809cf4f3c",
                          "band": "EU868", "frequency": 869525000, "data_rate": 3, "session_class": "C"}),
    ("device-sets", {"name": "sample {n}", "devices": ["{devices}"]}),
    ("regions", {"name": "sample {n}", "groups": ["{multicast-groups}"]}),
    ("files", {"name": "sample {n}", "type": "firmware", "profile_id": "{device-profiles}", "version": "1.1.0.0"}),
    ("campaigns", {"name": "sample {n}", "type": "MCGROUP", "max_duration_s": 32760, "device_sets": ["{device-sets}"], "regions": ["{regions}"]}),
]


def call(method, url, body=None):
    """Returns the status and the decoded answer."""
    headers = {"Accept": "application/json"}
    if os.environ.get("STARLING_TOKEN"):
        headers["Authorization"] = "Bearer " + os.environ["STARLING_TOKEN"]
    if body is not None:
        headers["Content-Type"] = "application/json"
        body = json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method), timeout=30) as answer:
            return answer.status, json.loads(answer.read() or "null")
    except urllib.error.HTTPError as e:
        text = e.read()
        try:
            return e.code, json.loads(text)
        except ValueError:
            return e.code, text.decode(errors="replace")


def key(item):
    return item.get("id") or item.get("dev_eui")


def make_samples(url):
    """Makes the samples, under names and addresses that an earlier run has not used up, and returns their ids."""
    known = {"n": "%08x" % secrets.randbits(32)}
    for plural, sample in SAMPLES:
        body = json.loads(re.sub(r"\{([a-z-]+)\}", lambda m: known[m[1]], json.dumps(sample)))
        status, answer = call("POST", url + PREFIX + plural, body)
        if status != 201:
            sys.exit(f"the sample of {plural} is refused with {status}, mend SAMPLES: {json.dumps(answer)}")
        known[plural] = key(answer)
    return known


def ids(url, paths, samples):
    """Returns the samples, and a few ids of each collection that is listed and has a page per object."""
    found = {}
    for path, operations in paths.items():
        plural = path.removeprefix(PREFIX)
        if "/" in plural or plural in OURSELVES or "get" not in operations or not any(p.startswith(path + "/{") for p in paths):
            continue
        status, answer = call("GET", url + path + "?limit=5")
        if status == 200 and answer.get("items"):
            found[plural] = sorted({key(item) for item in answer["items"]} | {samples.get(plural)} - {None})
    return found


def toml(value):
    return json.dumps(value)  # strings, and lists of them, are written alike


def configuration(token):
    """What both runs share."""
    lines = []
    if token:
        lines += ['headers = { Authorization = "Bearer ${STARLING_TOKEN}" }', ""]
    # A schema cannot say that a name is taken, a profile missing, a campaign running or a
    # revision old: those refusals are no defect.
    lines += ["[checks.positive_data_acceptance]", 'expected-statuses = ["2xx", "3xx", 401, 403, 404, 409, 412, 413, 422, 428, 429]', ""]
    # No engine can keep a zero character, so a body with one is unreadable (400). A schema could say so only by
    # a pattern on every text; the contract test sends one in every body.
    lines += ["[generation]", "allow-x00 = false", ""]
    # DELETE archives: the object is still there, for reports and for undoing it.
    lines += ["[checks.use_after_free]", "enabled = false", ""]
    return lines


def content(operation, *path):
    for step in path:
        operation = operation.get(step, {})
    return set(operation.get("content", {}))


def prepare(url, document, skip, folder):
    samples = make_samples(url)
    status, doc = call("GET", document)
    if status != 200:
        sys.exit(f"{document} answers {status}")
    paths = {p: {m: o for m, o in ops.items() if m in METHODS} for p, ops in doc["paths"].items()}

    main, streams, excluded = configuration(os.environ.get("STARLING_TOKEN")), [], []
    known = ids(url, paths, samples)
    for plural, values in known.items():
        main += [f"[dictionaries.{plural}]", f"values = {toml(values)}", ""]
    for path, operations in paths.items():
        for method, operation in operations.items():
            name = operation["operationId"]
            if (method, path) in SUICIDE or skip and re.search(skip, name):
                excluded.append(name)
            elif (method, path) in DANGEROUS or "text/event-stream" in content(operation, "responses", "200"):
                excluded.append(name)
                streams.append(name)
            elif content(operation, "requestBody") == {"text/csv"}:
                # "{}" is a table like any other: a report counts its rows as bad.
                main += ["[[operations]]", f"include-operation-id = {toml(name)}", "checks.negative_data_rejection.enabled = false", ""]
    for plural in known:
        main += ["[[operations]]", f"include-path-regex = {toml('^' + PREFIX + plural + '/[{]id[}]')}",
                 f"parameters = {{ \"path.id\" = {{ dictionary = {toml(plural)}, probability = 0.5 }} }}", ""]
    for name in excluded:
        main += ["[[operations]]", f"include-operation-id = {toml(name)}", "enabled = false", ""]
    write(folder, "main.toml", main)
    if streams:
        only = configuration(os.environ.get("STARLING_TOKEN"))
        only += ["[[operations]]", f"exclude-operation-id = {toml(streams)}", "enabled = false", ""]
        write(folder, "streams.toml", only)
    print(f"schemathesis: samples in {len(known)} collections; left out of the main run: {', '.join(excluded) or 'nothing'}")


def write(folder, name, lines):
    with open(os.path.join(folder, name), "w") as f:
        f.write("\n".join(lines))


def check(url):
    """A run that locked itself out, or killed the server, has tested nothing since."""
    status, answer = call("GET", url + PREFIX + "devices?limit=1")
    if status != 200:
        sys.exit(f"after the run the server answers {status}: {json.dumps(answer)}")


if __name__ == "__main__":
    if sys.argv[1] == "--check":
        check(sys.argv[2])
    else:
        prepare(*sys.argv[1:])
