// The checks of the page in a browser: node run.mjs VKDET SOURCE MODULES SHOTS
// One server and one browser serve those checks that need nothing special of them.
import { after, before } from 'node:test';
import { access } from './checks/access.mjs';
import { cameras } from './checks/cameras.mjs';
import { errors } from './checks/errors.mjs';
import { inputs } from './checks/inputs.mjs';
import { keyboard } from './checks/keyboard.mjs';
import { results } from './checks/results.mjs';
import { endAll, launch, serve } from './support.mjs';

const shared = {};
before(async () => {
    shared.browser = await launch();
    shared.server = await serve();
});
after(endAll);

const use = { browser: () => shared.browser, server: () => shared.server };
for (const checks of [inputs, results, keyboard, errors, cameras, access]) {
    checks(use);
}
