"""placeholder"""


def claim(resource):
    return resource
