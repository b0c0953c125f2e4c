import { startEnlarging } from './enlarge.js';
import { startExploring } from './explorer.js';
import { startPlayground } from './playground.js';
import { startTraining } from './train.js';

if (navigator.gpu) {
  startEnlarging();
  startTraining();
  startPlayground();
  startExploring();
} else {
  document.getElementById('unsupported').hidden = false;
  for (const control of document.querySelectorAll('main button, main input, main select, main textarea')) control.disabled = true;
}
