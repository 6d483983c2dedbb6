"""Both SES APIs by machine: what is not there is told so, and no member of what is there is passed over."""
from surface import PASSED_OVER, Surface


def check_what_is_not_there_is_told_so(world):
    for service, code in (("sesv2", "UnknownOperationException"), ("ses", "InvalidAction")):
        surface = Surface(world, service, world.keys)
        answers = {name: surface.answer_to(name)[0] for name in surface.not_there()}
        wrong = {name: answer for name, answer in answers.items() if answer != code}
        assert not wrong, (service, wrong)


def check_no_member_is_passed_over(world):
    """A member of the wrong type is only noticed by who reads it."""
    surface = Surface(world, "sesv2", world.keys)
    passed, count = [], 0
    for operation in sorted(surface.there):
        for path, body in surface.bodies_with_a_wrong_member(operation):
            code, text = surface.answer_to(operation, body)
            read = code == "SerializationException" or "not supported" in text
            if not read and path[-1] not in PASSED_OVER:
                passed.append((".".join(path), code, text))
            count += 1
    assert not passed, "\n".join(map(str, passed))
    assert count > 200, count
