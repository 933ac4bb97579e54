"""What the PyPI client `kinetic` 0.9.1 under Python 2.7 expects of a drive.

Usage: client.py HOST PORT, against a fresh drive with the factory identity and key.
Prints a line per check; ends with 0 if all hold, with 1 and the reason otherwise.
Not here: TLS, PINs, ACLs, batches, peer-to-peer.
"""

from __future__ import print_function

import hashlib
import itertools
import sys
import traceback
import zlib

import eventlet

from kinetic import Client, KeyRange, KineticMessageException, kinetic_pb2
from kinetic.common import (ClusterVersionFailureException, IntegrityAlgorithms, LogTypes,
                            Priority, ServerDisconnect, Synchronization)
from kinetic.deprecated import BlockingClient

PAGE = 200  # a drive answers a range with at most so many keys
MANY = 450  # more than two pages
MIB = 1024 * 1024
STATUS = kinetic_pb2.Command.Status


def expect(actual, wanted, what):
    if actual != wanted:
        raise AssertionError('%s: got %s, wanted %s' % (what, shown(actual), shown(wanted)))


def shown(thing):
    text = repr(thing)
    return text if len(text) < 300 else '%s... (%d characters)' % (text[:300], len(text))


def expect_refused(code, what, call, *args, **kwargs):
    try:
        result = call(*args, **kwargs)
    except KineticMessageException as error:
        expect(error.code, code, what)
        return error
    raise AssertionError('%s: got %s, wanted the status %s' % (what, shown(result), code))


def value_of(entry, what):
    if entry is None:
        raise AssertionError('%s: the drive has no such key' % what)
    return str(entry.value)


# Each check gets a connected blocking client and the drive's address, and its own prefix of keys.

def hello(client, address):
    if not client.connection_id > 0:
        raise AssertionError('connectionID in the hello: %r' % client.connection_id)
    expect(client.cluster_version, 0, 'cluster version in the hello')
    expect(client.limits.maxKeySize, 4096, 'maxKeySize in the hello')
    expect(client.limits.maxValueSize, MIB, 'maxValueSize in the hello')
    expect(client.limits.maxVersionSize, 2048, 'maxVersionSize in the hello')
    expect(client.limits.maxKeyRangeCount, PAGE, 'maxKeyRangeCount in the hello')
    expect(client.config.port, address[1], 'the plain port in the hello')
    for field in ('vendor', 'model', 'serialNumber', 'worldWideName', 'version',
                  'compilationDate', 'sourceHash', 'protocolVersion'):
        if not getattr(client.config, field):
            raise AssertionError('%s is empty in the hello' % field)


def put_get_delete(client, _):
    client.noop()
    expect(client.get('pgd/none'), None, 'get of a missing key')
    client.put('pgd/a', 'one')
    entry = client.get('pgd/a')
    expect(value_of(entry, 'get after put'), 'one', 'value after put')
    expect(entry.key, 'pgd/a', 'key of the answer')
    client.put('pgd/a', 'two')
    expect(value_of(client.get('pgd/a'), 'get'), 'two', 'value after a second put')
    expect(client.delete('pgd/a'), True, 'delete of a key')
    expect(client.get('pgd/a'), None, 'get after delete')
    expect(client.delete('pgd/a'), False, 'delete of a missing key')
    expect(client.delete('pgd/a', force=True), True, 'forced delete of a missing key')


def versions(client, _):
    expect(client.getVersion('v/none'), None, 'version of a missing key')
    client.put('v/a', 'one', new_version='1')
    expect(client.getVersion('v/a'), '1', 'version after the first put')
    expect_refused('VERSION_MISMATCH', 'put without the version', client.put, 'v/a', 'x',
                   new_version='2')
    expect_refused('VERSION_MISMATCH', 'put with a wrong version', client.put, 'v/a', 'x',
                   version='7', new_version='2')
    expect_refused('VERSION_MISMATCH', 'put with a version on a missing key', client.put,
                   'v/none', 'x', version='1', new_version='2')
    expect(value_of(client.get('v/a'), 'get'), 'one', 'value after refused puts')
    client.put('v/a', 'two', version='1', new_version='2')
    expect(client.getVersion('v/a'), '2', 'version after a put with the right one')
    expect_refused('VERSION_MISMATCH', 'delete with a wrong version', client.delete, 'v/a',
                   version='1')
    expect_refused('VERSION_MISMATCH', 'delete without the version', client.delete, 'v/a')
    client.put('v/a', 'three', version='nonsense', new_version='9', force=True)
    expect(client.getVersion('v/a'), '9', 'version after a forced put')
    expect(client.delete('v/a', version='9'), True, 'delete with the right version')
    client.put('v/long', 'x', new_version='v' * 2048)
    expect(client.getVersion('v/long'), 'v' * 2048, 'the longest version')
    error = expect_refused('INVALID_REQUEST', 'a version over the limit', client.put, 'v/over',
                           'x', new_version='v' * 2049)
    if '2048' not in str(error):
        raise AssertionError('the refusal does not name the limit: %s' % error)
    client.put('v/b', 'x', new_version='1')
    expect(client.delete('v/b', version='0', force=True), True, 'forced delete, wrong version')


def tags_and_metadata(client, _):
    client.put('t/sha1', 'data')
    entry = client.get('t/sha1')
    expect(entry.metadata.tag, hashlib.sha1('data').digest(), 'the tag the client computed')
    expect(entry.metadata.algorithm, IntegrityAlgorithms.SHA1, 'its algorithm')

    crc = '%08x' % (zlib.crc32('data') & 0xffffffff)
    client.put('t/crc', 'data', tag=crc, algorithm=IntegrityAlgorithms.CRC32, new_version='v1')
    metadata = client.getMetadata('t/crc')
    expect(str(metadata.value), '', 'no value comes with metadata')
    expect(metadata.metadata.tag, crc, 'a tag of digits')
    expect(metadata.metadata.algorithm, IntegrityAlgorithms.CRC32, 'its algorithm')
    expect(metadata.metadata.version, 'v1', 'version in metadata')
    expect(client.getMetadata('t/none'), None, 'metadata of a missing key')

    client.put('t/wrong', 'data', tag='not a hash', algorithm=IntegrityAlgorithms.SHA2)
    expect(client.get('t/wrong').metadata.tag, 'not a hash', 'a tag that is no hash of the value')


def values_of_all_sizes(client, _):
    client.put('s/empty', '')
    expect(value_of(client.get('s/empty'), 'an empty value'), '', 'an empty value')
    expect(client.get('s/empty').metadata.tag, 'l337', 'the tag of an empty value')
    every_byte = ''.join(chr(byte) for byte in range(256))
    for size in (1, 255, 4096, 65535, 65536, MIB - 1, MIB):
        value = (every_byte * (size // 256 + 1))[:size]
        client.put('s/%d' % size, value)
        if value_of(client.get('s/%d' % size), 'get') != value:
            raise AssertionError('a value of %d bytes came back changed' % size)


def keys_of_all_kinds(client, _):
    keys = ['', '\x00', '\x00\x00', '\xff\xfe', 'k/\n', 'k/' + 'x' * 4094]
    for key in keys:
        client.put(key, 'value of ' + key[:10], new_version='1')
    for key in keys:
        entry = client.get(key)
        expect(value_of(entry, 'key %s' % shown(key)), 'value of ' + key[:10], 'value')
        expect(entry.key, key, 'key of the answer')
    expect(client.getKeyRange('', '\x00\x00'), ['', '\x00', '\x00\x00'], 'the smallest keys')
    for key in keys:
        expect(client.delete(key, version='1'), True, 'delete of %s' % shown(key))


def neighbours(client, _):
    for key in ('n/b', 'n/d', 'n/f'):
        client.put(key, 'value of ' + key, new_version='1')
    for key, after in (('n/b', 'n/d'), ('n/c', 'n/d'), ('n/a', 'n/b')):
        entry = client.getNext(key)
        expect(entry.key, after, 'next of %s' % key)
        expect(value_of(entry, 'next'), 'value of ' + after, 'its value')
        expect(entry.metadata.version, '1', 'its version')
    for key, before in (('n/f', 'n/d'), ('n/e', 'n/d'), ('n/g', 'n/f')):
        expect(client.getPrevious(key).key, before, 'previous of %s' % key)
    expect(client.getNext('\xff' * 4096), None, 'next of the largest key')
    expect(client.getPrevious(''), None, 'previous of the smallest key')


def ranges(client, _):
    keys = ['r/%03d' % number for number in range(MANY)]
    for key in keys:
        client.put(key, 'value of ' + key)
    first, last = keys[10], keys[20]
    for with_first, with_last in itertools.product((True, False), repeat=2):
        wanted = keys[10 if with_first else 11:21 if with_last else 20]
        what = 'range with ends %s, %s' % (with_first, with_last)
        expect(client.getKeyRange(first, last, with_first, with_last), wanted, what)
        backwards = client.getKeyRange(first, last, with_first, with_last, reverse=True)
        expect(backwards, wanted[::-1], what + ', backwards')
    expect(client.getKeyRange(first, last, maxReturned=3), keys[10:13], 'the first three')
    expect(client.getKeyRange(first, last, maxReturned=3, reverse=True), keys[20:17:-1],
           'the last three')
    expect(client.getKeyRange('r/', 'r/~'), keys[:PAGE], 'a page')
    expect(client.getKeyRange('r/', 'r/~', reverse=True), keys[:-PAGE - 1:-1], 'a page backwards')
    expect(client.getKeyRange('r/010x', 'r/010y'), [], 'a range between two keys')
    expect(client.getKeyRange(last, first), [], 'a range from last to first')
    expect(KeyRange('r/', 'r/004').getFrom(client, 2), keys[:2], 'a range by KeyRange')
    expect_refused('INVALID_REQUEST', 'more keys than the limit', client.getKeyRange, 'r/', 'r/~',
                   maxReturned=PAGE + 1)
    entries = list(client.getRange('r/', 'r/~', prefetch=64))
    expect([entry.key for entry in entries], keys, 'all pages by the iterator')
    expect([str(entry.value) for entry in entries], ['value of ' + key for key in keys],
           'their values')


def durabilities(client, _):
    for durability in (Synchronization.WRITETHROUGH, Synchronization.WRITEBACK,
                       Synchronization.FLUSH):
        key = 'd/%d' % durability
        client.put(key, 'kept', synchronization=durability)
        expect(value_of(client.get(key), key), 'kept', 'value under durability %d' % durability)
        expect(client.delete(key, synchronization=durability), True, 'delete')
    client.flush()
    expect_refused('INVALID_REQUEST', 'an invalid durability', client.put, 'd/bad', 'x',
                   synchronization=Synchronization.INVALID_SYNCHRONIZATION)


def headers(client, _):
    client.put('h/a', 'x', priority=Priority.HIGHEST, timeout=10000)
    client.get('h/a')
    client.put('h/b', 'x', early_exit=True, time_quanta=1000, priority=Priority.LOWER)
    expect(value_of(client.get('h/b'), 'get'), 'x', 'value put with a quantum')


def cluster_version(_, address):
    client = BlockingClient(*address)
    client.connect()
    client.cluster_version = 9
    try:
        client.noop()
        raise AssertionError('a wrong cluster version was accepted')
    except ClusterVersionFailureException as error:
        expect(error.code, 'VERSION_FAILURE', 'status for a wrong cluster version')
        expect(error.cluster_version, 0, "the drive's own cluster version in the answer")
    client.cluster_version = 0
    client.noop()
    client.close()


def wrong_key(_, address):
    for options in ({'secret': 'wrong'}, {'identity': 4711}):
        statuses = []
        client = BlockingClient(*address, **options)
        client.on_unsolicited = lambda status: statuses.append(status.code)
        client.connect()
        try:
            client.put('w/a', 'x')
            raise AssertionError('a put under %s was accepted' % options)
        except ServerDisconnect:
            expect(statuses, [STATUS.HMAC_FAILURE], 'unsolicited status under %s' % options)
        client.close()


def logs(client, _):
    log = client.getLog(LogTypes.all())
    names = set(utilization.name for utilization in log.utilizations)
    for name in ('HDA', 'EN0', 'EN1', 'CPU'):
        if name not in names:
            raise AssertionError('no utilization %s among %s' % (name, sorted(names)))
    names = set(temperature.name for temperature in log.temperatures)
    if not names >= set(('HDA', 'CPU')):
        raise AssertionError('temperatures are only %s' % sorted(names))
    if not log.capacity.nominalCapacityInBytes > 0:
        raise AssertionError('no capacity: %s' % log.capacity)
    if not log.capacity.portionFull > 0:
        raise AssertionError('portionFull is 0 on a drive that holds keys')
    expect(log.limits.maxKeySize, 4096, 'maxKeySize')
    puts = [entry.count for entry in log.statistics
            if entry.messageType == kinetic_pb2.Command.PUT]
    if not puts or puts[0] < 1:
        raise AssertionError('statistics count no PUT: %s' % log.statistics)
    if not log.messages:
        raise AssertionError('the messages log is empty')
    for kind in LogTypes.all():
        client.getLog([kind])
    expect(client.getLog([LogTypes.DEVICE], device='com.example.none'), None, 'unknown device log')


def pipelined(_, address):
    client = Client(*address)
    client.max_pending = 64
    client.connect()
    errors = []
    found = {}
    keys = ['p/%04d' % number for number in range(1000)]
    with eventlet.Timeout(60):
        for key in keys:
            client.putAsync(lambda _: None, errors.append, key, 'value of ' + key, force=True)
        client.wait()
        for key in keys:
            client.getAsync(lambda entry: found.update({entry.key: str(entry.value)}),
                            errors.append, key)
        client.wait()
        client.pool.waitall()
        expect(errors, [], 'errors of pipelined requests')
        expect(found, dict((key, 'value of ' + key) for key in keys), 'pipelined gets')
        # The same client, waiting for each answer, with large values among small ones.
        client.put('p/large', 'x' * MIB, force=True)
        expect(len(client.get('p/large').value), MIB, 'a large value by the green client')
        expect(client.getKeyRange('p/0000', 'p/0009'), keys[:10], 'a range by the green client')
        client.close()


def side_by_side(_, address):
    def worker(number):
        client = Client(*address)
        client.connect()
        for turn in range(20):
            value = '%d of %d' % (turn, number)
            client.put('c/%d' % number, value, force=True)
            expect(value_of(client.get('c/%d' % number), 'get'), value, 'its own last value')
        client.close()
        return number

    with eventlet.Timeout(60):
        workers = [eventlet.spawn(worker, number) for number in range(16)]
        expect([one.wait() for one in workers], list(range(16)), 'clients side by side')


CHECKS = (hello, put_get_delete, versions, tags_and_metadata, values_of_all_sizes,
          keys_of_all_kinds, neighbours, ranges, durabilities, headers, cluster_version,
          wrong_key, logs, pipelined, side_by_side)


def main():
    address = (sys.argv[1], int(sys.argv[2]))
    failed = 0
    for check in CHECKS:
        client = BlockingClient(*address, socket_timeout=30)
        try:
            client.connect()
            check(client, address)
            print('ok      %s' % check.__name__)
        except (Exception, eventlet.Timeout):
            failed += 1
            print('FAILED  %s' % check.__name__)
            print(traceback.format_exc())
        finally:
            client.close()
    print('%d of %d checks hold' % (len(CHECKS) - failed, len(CHECKS)))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
