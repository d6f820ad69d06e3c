// Stories, one after the other in one browser: node run.mjs URL TOKEN PICTURES SCRIPT...
import { end } from "./story.mjs";

for (const script of process.argv.slice(5)) {
  console.log(`${script}:`);
  await import(`./${script}`);
}
await end();
