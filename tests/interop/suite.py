"""Runs the test modules of the PyPI client's own source archive against a drive that serves.

Usage: suite.py plain|tls HOST PORT FOLDER, with the folder that holds the modules.
The modules are run as they are. They stand on a fixture module `base` that the archive does not
hold; the one here is our own: it names the drive and gives each test keys of its own, which are
deleted afterwards. Over TLS the client's classes are told to use it before any module sees them.
Prints a line per test; ends with 0 if all pass but those of EXCLUDED, with 1 otherwise.
"""

from __future__ import print_function

import functools
import sys
import types
import unittest

MODULES = ('test_client', 'test_batch', 'test_cmd', 'test_adminclient')

# What is not run, by channel, and why.
EXCLUDED = {
    'plain': {},
    'tls': {
        'test_adminclient.AdminClientTestCase.test_setSecurity':
            'sets the list, then reads with a second client that it never connects',
    },
}


def fixture(host, port, clients):
    """A module `base` for a drive at this place."""

    class BaseTestCase(unittest.TestCase):

        def setUp(self):
            self.host, self.port = host, port
            self.baseKey = 'suite/%s/' % self.id()
            self.client = clients.Client(host, port)
            self.client.connect()
            self.addCleanup(self.clean)

        def clean(self):
            sweeper = clients.Client(host, port)
            sweeper.connect()
            for key in sweeper.getKeyRange(self.baseKey, self.baseKey + '\xff'):
                sweeper.delete(key, force=True)
            sweeper.close()

        def buildKey(self, name='key'):
            return self.baseKey + ('%05d' % name if isinstance(name, int) else name)

    module = types.ModuleType('base')
    module.BaseTestCase = BaseTestCase
    return module


def use_tls():
    """Every client that is made from here on speaks TLS."""
    from kinetic import baseclient
    plain = baseclient.BaseClient.__init__

    @functools.wraps(plain)
    def secured(self, *args, **kwargs):
        kwargs.setdefault('use_ssl', True)
        plain(self, *args, **kwargs)
    baseclient.BaseClient.__init__ = secured


def tests_of(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            for test in tests_of(item):
                yield test
        else:
            yield item


def main(channel, host, port, folder):
    import kinetic
    if channel == 'tls':
        use_tls()
    sys.modules['base'] = fixture(host, int(port), kinetic)
    sys.path.insert(0, folder)
    excluded = EXCLUDED[channel]
    chosen = unittest.TestSuite()
    for name in MODULES:
        for test in tests_of(unittest.defaultTestLoader.loadTestsFromName(name)):
            reason = excluded.get(test.id())
            if reason:
                print('excluded: %s: %s' % (test.id(), reason))
            else:
                chosen.addTest(test)
    outcome = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(chosen)
    enough = outcome.testsRun >= 60
    if not enough:
        print('only %d tests ran: the modules are not what they were' % outcome.testsRun)
    return 0 if outcome.wasSuccessful() and enough else 1


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
