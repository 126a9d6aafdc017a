import { join } from "node:path";
import type { Machine } from "../core/machine.ts";
import { DatabaseImage } from "./database-image.ts";
import { LogFiles } from "./log-files.ts";
import { Node } from "./node.ts";
import type { NodeOptions } from "./node.ts";
import { readPositionFile } from "./position-file.ts";
import type { ReplicaPosition } from "./position-file.ts";
import { Reader } from "./reader.ts";

/** What has changed at a site since it was looked at last. */
export interface Change {
  readonly isImage: boolean;
  readonly isLog: boolean;
  readonly isPosition: boolean;
}

/** A place where a node runs, and all that can be seen of it from outside: its files, as they are. */
export class Site {
  readonly name: string;
  readonly role: "primary" | "replica";
  readonly node: Node;
  readonly machine: Machine;
  readonly file: string;
  readonly dataDir: string;
  readonly image: DatabaseImage;
  readonly log: LogFiles;
  /** Looks at each new state. */
  readonly reader: Reader;
  /** Stays at an old one. */
  readonly holder: Reader;
  position: ReplicaPosition | undefined;
  /** The earliest place in the oracle's timeline where what readers saw last may stand. */
  place = 0;
  /** Steps back are allowed once: the files were deleted, and fetched again. */
  isFresh = true;
  /** This is a primary that another one has replaced: nobody writes to it, and nobody is to follow it. */
  isStale = false;
  /** What went wrong here by intention so far, by kind. */
  readonly faults: Set<string> = new Set();
  /** A bit of its log, or of its position, has flipped on the disk. */
  isSpoilt = false;
  /** Somebody else has written to the replica. */
  isForeign = false;
  /** Whether the state is one that the files could be in: false from a loss of power until the node has seen to it. */
  isReadable = false;
  /** How long it stays down when it goes down next; undefined: as long as it always does. */
  restartMs: number | undefined;

  constructor(options: NodeOptions, pageSize: number) {
    const { file } = options.options.settings;
    this.node = new Node(options);
    this.name = options.name;
    this.role = options.options.role;
    this.machine = options.machine;
    this.file = file;
    this.dataDir = `${file}-tailrace`;
    this.image = new DatabaseImage(file, pageSize);
    this.log = new LogFiles(join(this.dataDir, "log"));
    this.reader = new Reader(file);
    this.holder = new Reader(file);
    options.machine.disk.connections.outsiders.push(this.reader, this.holder);
  }

  /** Whether the node is open: it has said that its file can be read. */
  get isOpen(): boolean {
    return this.node.isOpen;
  }

  refresh(changed: ReadonlySet<string>): Change {
    const { file, dataDir, log } = this;
    const paths = [...changed];
    const logFolder = join(dataDir, "log");
    const isLog = paths.some((path) => path.startsWith(logFolder)) && log.refresh();
    const isPosition = changed.has(join(dataDir, "position"));
    if (isPosition) this.position = readPositionFile(join(dataDir, "position"));
    const isTouched = [file, `${file}-wal`, `${file}-shm`].some((path) => changed.has(path));
    return { isLog, isPosition, isImage: isTouched && this.refreshImage() };
  }

  /** @returns whether there is another state than before */
  refreshImage(): boolean {
    const before = this.image.mark;
    return this.image.refresh() && this.image.mark !== before;
  }

  /** Before files are taken away under them. */
  closeReaders(): void {
    this.reader.close();
    this.holder.close();
  }

  /** Everything is read anew. */
  forget(): void {
    this.closeReaders();
    this.image.forget();
    this.log.forget();
    this.position = undefined;
  }
}
