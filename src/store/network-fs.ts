import { statfs } from 'node:fs/promises';
import { SteleError } from '../errors.ts';

/** File systems of other machines, or of programs, by the magic number that Linux gives them (statfs(2)). */
const NETWORK_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x00006969, 'NFS'],
  [0x0000517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB 2'],
  [0x65735546, 'FUSE'],
  [0x01021997, '9P'],
  [0x00c36400, 'Ceph'],
  [0x5346414f, 'AFS'],
  [0x6b414653, 'AFS'],
  [0x73757245, 'Coda'],
  [0x0000564c, 'NCP'],
  [0x0bd00bd0, 'Lustre'],
  [0x01161970, 'GFS2'],
  [0x7461636f, 'OCFS2'],
  [0x19830326, 'BeeGFS'],
  [0x47504653, 'GPFS'],
  [0x786f4256, 'VirtualBox shared folder'],
  [0xbacbacbc, 'VMware shared folder'],
]);

/** The name of the network file system with this number, or undefined for one that is not known to be one. */
export function networkFileSystem(type: number): string | undefined {
  // Some kernels and builds hand out the 32-bit number with its sign.
  return NETWORK_FILE_SYSTEMS.get(type < 0 ? type + 2 ** 32 : type);
}

/** Throws `config` where another machine could take the same lock, or a flush may be no flush. Linux only. */
export async function refuseNetworkFileSystem(dir: string): Promise<void> {
  const name = process.platform === 'linux' ? networkFileSystem((await statfs(dir)).type) : undefined;
  if (name !== undefined) {
    throw new SteleError(
      'config',
      `${dir} is on a network file system (${name}), where locks and flushes cannot be relied upon: ` +
        'keep the private store on a local disk, or allow it explicitly if you know that only one machine writes',
    );
  }
}
