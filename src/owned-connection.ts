import { TailraceError } from "../shared/errors.ts";
import type { Connection, Driver } from "../shared/sqlite/driver.ts";
import { identityOf } from "../shared/sqlite/held-files.ts";
import { claimFile } from "./driver-registry.ts";
import { openUserConnection } from "./user-connection.ts";

const LOOK_MS = 250;

/**
 * The connection of a primary's user, on the file that stands at the path now. SQLite itself would go on with a file that
 * no path leads to any more, and what is written there is lost. So a replaced file's connection is closed: whoever still
 * holds it gets an error from its library at the next statement. Whoever asks again gets one on the new file.
 */
export class OwnedConnection {
  private readonly driver: Driver;
  private readonly file: string;
  private readonly isLogged: boolean;
  private readonly looking: NodeJS.Timeout;
  private identity: string;
  private connection: Connection;
  private isOpen = true;
  private release: () => void = () => {};

  constructor(driver: Driver, file: string, options: { readonly isLogged: boolean }) {
    this.driver = driver;
    this.file = file;
    this.isLogged = options.isLogged;
    this.identity = identityOf(file);
    this.connection = this.open();
    this.looking = setInterval(() => this.look(), LOOK_MS).unref();
  }

  /** The driver's own object. @throws not_ready (retryable) while no file stands at the path */
  get handle(): unknown {
    const found = this.look();
    if (found === undefined) {
      throw new TailraceError("not_ready", `${this.file} is gone; waiting for the file that replaces it`, {
        retryable: true,
        hint: "Put the file back in place, or another one, and ask again.",
      });
    }
    if (!this.isOpen) {
      this.release = claimFile(this.file, this.driver.name);
      this.connection = this.open();
      this.identity = found;
      this.isOpen = true;
    }
    return this.connection.handle;
  }

  close(): void {
    clearInterval(this.looking);
    this.shut();
  }

  private open(): Connection {
    return openUserConnection(this.driver, this.file, { readOnly: false, isLogged: this.isLogged });
  }

  /** @returns what stands at the path now */
  private look(): string | undefined {
    const found = identityIfThere(this.file);
    if (found !== this.identity) this.shut();
    return found;
  }

  private shut(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    try {
      this.connection.close();
    } catch {
      // Its user has closed it already.
    }
    this.release();
  }
}

function identityIfThere(file: string): string | undefined {
  try {
    return identityOf(file);
  } catch {
    return undefined;
  }
}
