"""The surface of a service by botocore's model of it: what there is to be called, which members were given, and whether what
came back is whole."""
import datetime
import json
import os
import re
import xml.etree.ElementTree as ElementTree

import botocore.loaders
from botocore.exceptions import ClientError

SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "src", "aws")
# Members that the models call required and AWS leaves out, where nothing is set.
OFTEN_ABSENT = {
    ("MailFromAttributes", "MailFromDomain"), ("MailFromAttributes", "MailFromDomainStatus"),
    ("IdentityMailFromDomainAttributes", "MailFromDomain"), ("IdentityMailFromDomainAttributes", "MailFromDomainStatus"),
    ("IdentityNotificationAttributes", "BounceTopic"), ("IdentityNotificationAttributes", "ComplaintTopic"),
    ("IdentityNotificationAttributes", "DeliveryTopic")}
# Every text is sent as UTF-8, whatever it was to be sent in.
PASSED_OVER = {"Charset"}


class Surface:
    """One service: its model, the operations that the server says it has, and a client that takes notes."""

    def __init__(self, world, service, keys):
        self.service, self.client = service, world.client(service, keys)
        self.model = botocore.loaders.Loader().load_service_model(service, "service-2")
        self.shapes, self.operations = self.model["shapes"], self.model["operations"]
        with open(os.path.join(SOURCES, service, "mod.rs"), encoding="utf-8") as file:
            table = file.read().split("operations! {", 1)[1]
        self.there = {name for name in re.findall(r"^ {4}([A-Z]\w+)", table, re.M) if name in self.operations}
        assert len(self.there) > 40, self.there
        self.given, self.called = set(), set()
        events = self.client.meta.events
        events.register(f"before-parameter-build.{service}.*", self._note)
        events.register(f"after-call.{service}.*", self._check)

    def method(self, operation):
        """The client's function for an operation."""
        from botocore import xform_name
        return getattr(self.client, xform_name(operation))

    def not_there(self):
        return sorted(set(self.operations) - self.there)

    def _note(self, params, model, **_):
        self.called.add(model.name)
        if model.input_shape is not None:
            self.given |= set(self._paths_of(model.input_shape.name, params, model.name))

    def _paths_of(self, shape, value, path):
        kind = self.shapes[shape]
        if kind["type"] == "structure":
            if not kind["members"]:
                yield path
            for name, inner in value.items():
                yield from self._paths_of(kind["members"][name]["shape"], inner, f"{path}.{name}")
        elif kind["type"] == "list":
            for inner in value:
                yield from self._paths_of(kind["member"]["shape"], inner, path)
        else:
            yield path

    def paths(self, operation):
        """All input members of an operation that hold no others, as `Operation.Member.Member`."""
        if "input" not in self.operations[operation]:
            return set()
        filled = self.fill(self.operations[operation]["input"]["shape"])
        return set(self._paths_of(self.operations[operation]["input"]["shape"], filled, operation))

    def never_given(self):
        """Input members of operations that are there that no call so far has given."""
        return sorted(path for name in self.there for path in self.paths(name) - self.given)

    def fill(self, shape, seen=()):
        """A value of this shape, with every member."""
        kind = self.shapes[shape]
        match kind["type"]:
            case "structure":
                members = kind["members"].items()
                return {name: self.fill(m["shape"], (*seen, shape)) for name, m in members if m["shape"] not in seen}
            case "list":
                return [self.fill(kind["member"]["shape"], seen)]
            case "map":
                return {self.fill(kind["key"]["shape"], seen): self.fill(kind["value"]["shape"], seen)}
            case "string":
                return kind["enum"][0] if "enum" in kind else "x" * max(1, kind.get("min", 1))
            case "timestamp":
                return datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
            case "blob":
                return b"x"
            case "boolean":
                return True
            case _:
                return 1

    def _check(self, parsed, model, http_response, **_):
        """What came back has all that it must have, and nothing that the model does not know."""
        if http_response.status_code >= 300 or model.output_shape is None:
            return
        self._whole(model.output_shape.name, parsed, model.name)
        if self.service == "sesv2":
            self._known(model.output_shape.name, json.loads(http_response.content or b"{}"), model.name)
        else:
            names = {name for name in self._names(model.output_shape.name)} | {"member", "entry", "key", "value"}
            result = ElementTree.fromstring(http_response.content)[0]
            tags = {element.tag.split("}")[-1] for element in result.iter() if element is not result}
            assert tags <= names or result.tag.endswith("ResponseMetadata"), (model.name, tags - names)

    def _whole(self, shape, value, path):
        kind = self.shapes[shape]
        if kind["type"] == "structure":
            for name in kind.get("required", []):
                assert name in value or (shape, name) in OFTEN_ABSENT, f"{path} lacks {name}: {value}"
            for name, member in kind["members"].items():
                if name in value:
                    self._whole(member["shape"], value[name], f"{path}.{name}")
        elif kind["type"] == "list":
            for inner in value:
                self._whole(kind["member"]["shape"], inner, path)
        elif kind["type"] == "map":
            for inner in value.values():
                self._whole(kind["value"]["shape"], inner, path)
        elif "enum" in kind:
            assert value in kind["enum"], f"{path} is {value}, not one of {kind['enum']}"

    def _known(self, shape, value, path):
        kind = self.shapes[shape]
        if kind["type"] == "structure":
            for name, inner in value.items():
                assert name in kind["members"], f"{path} has {name}, which is not in the model"
                self._known(kind["members"][name]["shape"], inner, f"{path}.{name}")
        elif kind["type"] == "list":
            for inner in value:
                self._known(kind["member"]["shape"], inner, path)

    def _names(self, shape):
        kind = self.shapes[shape]
        for name, member in kind.get("members", {}).items():
            yield name
            yield from self._names(member["shape"])
        for inner in ("member", "value"):
            if inner in kind:
                yield from self._names(kind[inner]["shape"])

    def answer_to(self, operation, body=None):
        """The error code (or None) of a call with everything filled in; `body` replaces the JSON that goes out."""
        events, name = self.client.meta.events, f"before-call.{self.service}.{operation}"

        def change(params, **_):
            if body is not None:
                params["body"] = json.dumps(body).encode()
        events.register(name, change, unique_id="change")
        shape = self.operations[operation].get("input", {}).get("shape")
        given = self.fill(shape) if shape else {}
        # With an endpoint's id botocore signs in a way that needs another library.
        given.pop("EndpointId", None)
        try:
            self.method(operation)(**given)
        except ClientError as error:
            return error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        finally:
            events.unregister(name, unique_id="change")
        return None, ""

    def bodies_with_a_wrong_member(self, operation):
        """For each member in the body: its path, and a body in which it alone has the wrong type (REST-JSON)."""
        shape = self.operations[operation].get("input", {}).get("shape")
        if not shape:
            return
        members = {n: m for n, m in self.shapes[shape]["members"].items() if "location" not in m}
        whole = {name: self._wire(member["shape"]) for name, member in members.items()}
        for name, member in members.items():
            for path, wrong in self._wrong(member["shape"], whole[name]):
                yield (operation, name, *path), {**whole, name: wrong}

    def _wire(self, shape):
        kind = self.shapes[shape]
        match kind["type"]:
            case "structure":
                return {name: self._wire(member["shape"]) for name, member in kind["members"].items()}
            case "list":
                return [self._wire(kind["member"]["shape"])]
            case "map":
                return {"x": self._wire(kind["value"]["shape"])}
            case "blob":
                return "eA=="
            case "timestamp":
                return 1800000000
        return self.fill(shape)

    def _wrong(self, shape, whole):
        kind = self.shapes[shape]
        if kind["type"] == "structure" and kind["members"]:
            for name, member in kind["members"].items():
                for path, wrong in self._wrong(member["shape"], whole[name]):
                    yield (name, *path), {**whole, name: wrong}
        elif kind["type"] == "list":
            for path, wrong in self._wrong(kind["member"]["shape"], whole[0]):
                yield path, [wrong]
        else:
            yield (), "wrong" if kind["type"] in ("structure", "map") else {"wrong": 1}
