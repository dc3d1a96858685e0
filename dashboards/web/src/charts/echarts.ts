/** The parts of ECharts that are used, so that nothing else is loaded. */

import { LineChart } from 'echarts/charts'
import { DataZoomComponent, GridComponent, MarkAreaComponent, MarkLineComponent, TooltipComponent } from 'echarts/components'
import * as echarts from 'echarts/core'
import { CanvasRenderer } from 'echarts/renderers'
// @ts-expect-error the package ships this file without types
import zh from 'echarts/lib/i18n/langZH.js'

echarts.use([LineChart, GridComponent, TooltipComponent, MarkAreaComponent, MarkLineComponent, DataZoomComponent, CanvasRenderer])
echarts.registerLocale('ZH', zh)

export { echarts }
