import { TailraceError, toErrorData } from "../../shared/errors.ts";
import { notice } from "../../shared/notice.ts";
import { valueText } from "./configuration.ts";
import type { Configuration, ConfigurationEntry, SettingInfo } from "./configuration.ts";
import type { NodeLog } from "../log/node-log.ts";
import { limitConflicts } from "./node-limits.ts";
import type { NodeSettings } from "./node-settings.ts";

/** A setting that is another one than before. */
export interface Change {
  readonly info: SettingInfo;
  readonly before: unknown;
  readonly after: unknown;
}

/** What becomes of a configuration that was read again. */
export interface ReloadPlan {
  readonly taken: readonly Change[];
  /** Changed in the file, but of no effect while the process runs. */
  readonly needRestart: readonly Change[];
}

/** What differs from what is in force. */
export function planReload(
  inForce: Readonly<Record<string, unknown>>,
  entries: readonly ConfigurationEntry[],
): ReloadPlan {
  const changes = entries
    .map(({ info, value }) => ({ info, before: inForce[info.key], after: value }))
    .filter(({ before, after }) => before !== after);
  return {
    taken: changes.filter(({ info }) => info.isReloadable),
    needRestart: changes.filter(({ info }) => !info.isReloadable),
  };
}

export interface ReloaderOptions<Settings> {
  readonly configuration: Configuration<Settings>;
  /** Reads file, variables and flags again. @throws invalid_configuration */
  readonly readAgain: () => Configuration<Settings>;
  readonly log: NodeLog;
}

/** Takes over what can change while a node runs, all or nothing. */
export class Reloader<Settings extends NodeSettings> {
  private readonly options: ReloaderOptions<Settings>;
  private inForce: Settings;
  private apply: ((settings: Settings) => Promise<void>) | undefined;
  /** Asked for, and not begun. */
  private isAsked = false;
  private isAtWork = false;

  constructor(options: ReloaderOptions<Settings>) {
    this.options = options;
    this.inForce = options.configuration.settings;
  }

  /** The settings as they are in force. */
  get settings(): Settings {
    return this.inForce;
  }

  /** From here on something can be changed. What was asked for before is done now. */
  ready(apply: (settings: Settings) => Promise<void>): void {
    this.apply = apply;
    if (this.isAsked) this.ask();
  }

  /** Asks for a reload; during one, for another one after it. Never throws: what is wrong is logged. */
  ask(): void {
    this.isAsked = true;
    if (this.apply === undefined || this.isAtWork) return;
    this.isAtWork = true;
    void this.work(this.apply);
  }

  private async work(apply: (settings: Settings) => Promise<void>): Promise<void> {
    while (this.isAsked) {
      this.isAsked = false;
      try {
        await this.reload(apply);
      } catch (error) {
        const { code, message, hint = null } = toErrorData(error);
        const text = `the configuration was read again and refused, nothing has changed: ${message}`;
        this.options.log.answer(notice("error", "configuration_refused", text, { code, message, hint }));
      }
    }
    this.isAtWork = false;
  }

  private async reload(apply: (settings: Settings) => Promise<void>): Promise<void> {
    const { configuration, readAgain, log } = this.options;
    const { file } = configuration;
    if (file === undefined) {
      const text =
        "SIGHUP: this process was started without --config FILE, so there is nothing to read again";
      log.answer(notice("warn", "configuration_has_no_file", text, {}));
      return;
    }
    const { taken, needRestart } = planReload(
      this.inForce as Readonly<Record<string, unknown>>,
      readAgain().entries,
    );
    const next = {
      ...this.inForce,
      ...Object.fromEntries(taken.map(({ info, after }) => [info.key, after])),
    } as Settings;
    refuseMixture(next, needRestart);
    if (taken.length > 0) await apply(next);
    const before = this.inForce.logLevel;
    this.inForce = next;
    // The quieter level begins after what is to be said of it.
    if (before === "silent") log.setLevel(next.logLevel);
    this.tell(file, taken, needRestart);
    log.setLevel(next.logLevel);
  }

  private tell(file: string, taken: readonly Change[], needRestart: readonly Change[]): void {
    const { log } = this.options;
    // Which keys there are is known at run time alone: a test holds those with text to TEXT_FIELDS.
    const values: Record<string, number> = {};
    for (const { info, before, after } of taken) {
      values[info.key] = after as number;
      values[`${info.key}Before`] = before as number;
    }
    const changes = taken.length === 0 ? "nothing to take over" : changesText(taken);
    log.answer(
      notice("info", "configuration_reloaded", `${file} was read again: ${changes}`, { ...values, file }),
    );
    if (needRestart.length === 0) return;
    const needsRestart = needRestart.map(({ info }) => info.flag).join(", ");
    const text = `to be taken over by a restart: ${changesText(needRestart)}`;
    log.answer(notice("warn", "configuration_needs_restart", text, { needsRestart }));
  }
}

/** What waits for a restart is not in force: the rest has to go with the value that is. */
function refuseMixture(next: NodeSettings, needRestart: readonly Change[]): void {
  const [conflict] = limitConflicts(next);
  if (conflict === undefined) return;
  const flags = needRestart.map(({ info }) => info.flag).join(", ");
  throw new TailraceError(
    "invalid_configuration",
    `${conflict.key} would be ${conflict.relation} the ${conflict.other} that is in force`,
    { hint: `It goes only together with what needs a restart (${flags}): restart this node.` },
  );
}

function changesText(changes: readonly Change[]): string {
  return changes
    .map(({ info, before, after }) => `${info.flag} ${valueText(info, before)} → ${valueText(info, after)}`)
    .join(", ");
}
