"""One RSA key for a whole test run: making one takes a tenth of a second, and no test is about that."""

import functools

from waypost.control.sources import new_rsa_private_key

rsa_private_key = functools.cache(new_rsa_private_key)
