/** What everybody in one schedule shares. */

import type { Disk } from './disk.ts';
import type { Network, Weather } from './network.ts';
import type { Oracle } from './oracle.ts';
import type { Profile } from './profile.ts';
import type { SharedQueue } from './shared-queue.ts';
import type { World } from './world.ts';

export interface Scene {
  readonly world: World;
  readonly profile: Profile;
  readonly weather: Weather;
  readonly network: Network;
  readonly publicDisk: Disk;
  readonly privateDisk: Disk;
  readonly oracle: Oracle;
  readonly shared: SharedQueue | undefined;
  /** Nothing fails any more. */
  calm: boolean;
  /** Nothing is started any more. */
  stopped: boolean;
  /** A store was put back or lost: writers may refuse. */
  disaster: boolean;
  /** Whether it is for the caller to freeze the log now. */
  takeFreeze(): boolean;
}
