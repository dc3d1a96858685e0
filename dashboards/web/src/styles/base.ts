/** Element Plus first, then what is ours, so that ours wins. */

import 'element-plus/theme-chalk/base.css'
import './theme.css'
