import pytest

from simulators.command import BadAddress, door_of


@pytest.mark.parametrize("url", ["127.0.0.1:1883", "http://127.0.0.1", "mqtt://"])
def test_an_address_that_is_not_mqtt_is_refused(url):
    with pytest.raises(BadAddress, match="is not mqtt://host:port"):
        door_of(url)


def test_an_address_without_a_port_means_the_usual_one():
    assert (door_of("mqtt://broker").port, door_of("mqtts://broker").port) == (1883, 8883)
    assert door_of("mqtts://broker").tls is not None
