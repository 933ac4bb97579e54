"""Runs the test modules of the PyPI client's own source archive against drives that serve.

Usage: suite.py plain|tls HOST PORT SECOND_HOST SECOND_PORT FOLDER, with the folder that holds the
modules. The second drive is for the tests that need two.
The modules are run as they are. They stand on a fixture module `base` that the archive does not
hold; the one here is our own: it names the drives and gives each test keys of its own, which are
deleted afterwards. Over TLS the client's classes are told to use it before any module sees them.
Prints a line per test; ends with 0 if all pass but those of EXCLUDED, with 1 otherwise.
"""

from __future__ import print_function

import functools
import sys
import types
import unittest

MODULES = ('test_client', 'test_batch', 'test_cmd', 'test_adminclient', 'test_p2p')

# What is not run, by channel, and why.
EXCLUDED = {
    'plain': {},
    'tls': {
        'test_adminclient.AdminClientTestCase.test_setSecurity':
            'sets the list, then reads with a second client that it never connects',
        'test_p2p.P2PTestCase.test_p2p_push':
            'names the second drive\'s port for TLS to the first, but not that it is one',
    },
}


def fixture(drives, clients):
    """A module `base` for drives at these places."""

    def swept(test, host, port):
        """A client of a drive on which the test's keys are deleted at its end."""
        client = clients.Client(host, port)
        client.connect()
        test.addCleanup(sweep, test.baseKey, host, port)
        return client

    def sweep(prefix, host, port):
        sweeper = clients.Client(host, port)
        sweeper.connect()
        for key in sweeper.getKeyRange(prefix, prefix + '\xff'):
            sweeper.delete(key, force=True)
        sweeper.close()

    class BaseTestCase(unittest.TestCase):

        def setUp(self):
            self.host, self.port = drives[0]
            self.baseKey = 'suite/%s/' % self.id()
            self.client = swept(self, self.host, self.port)

        def buildKey(self, name='key'):
            return self.baseKey + ('%05d' % name if isinstance(name, int) else name)

    class MultiSimulatorTestCase(BaseTestCase):

        def setUp(self):
            BaseTestCase.setUp(self)
            self.client_map = dict(
                ('%s:%d' % drive, swept(self, *drive)) for drive in drives)

    module = types.ModuleType('base')
    module.BaseTestCase = BaseTestCase
    module.MultiSimulatorTestCase = MultiSimulatorTestCase
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


def main(channel, host, port, second_host, second_port, folder):
    import kinetic
    if channel == 'tls':
        use_tls()
    sys.modules['base'] = fixture(
        [(host, int(port)), (second_host, int(second_port))], kinetic)
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
